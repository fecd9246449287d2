-- How a drop was read, and what is amiss with one that hardly loads. Run once by the schema migration 0018;
-- 0018_reading_down.sql takes it back. No parameters.

-- words: the first that are not ASCII, as read. reading: the settings under which it was read; under others the same
-- content is loaded again. trouble: why no row of it, or less than half, was loaded.
ALTER TABLE staging.ic_drop
ADD COLUMN words text[] NOT NULL DEFAULT '{}',
ADD COLUMN reading text,
ADD COLUMN trouble jsonb;

ALTER TABLE staging.ic_communication_landing DROP CONSTRAINT ic_communication_landing_fate_check;
ALTER TABLE staging.ic_communication_landing ADD CONSTRAINT ic_communication_landing_fate_check CHECK (
    fate IN ('inserted', 'updated', 'unchanged', 'joined', 'superseded_in_drop', 'unreadable_update', 'stale')
);

-- An item may be any text of a drop, a type of a megabyte too, and an index takes 2,700 bytes. A figure of a source is
-- found by the other columns.
ALTER TABLE staging.ic_figure DROP CONSTRAINT ic_figure_pkey;
CREATE INDEX ic_figure_of_source ON staging.ic_figure (source, figure, comm_month);
