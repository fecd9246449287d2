-- Takes back 0018_reading_up.sql. What the earlier tables cannot hold is counted anew or forgotten. No parameters.
DROP INDEX staging.ic_figure_of_source;
DELETE FROM staging.ic_figure;
DELETE FROM staging.ic_figure_month;
ALTER TABLE staging.ic_figure ADD PRIMARY KEY (source, figure, item, comm_month);

DELETE FROM staging.ic_communication_landing
WHERE fate = 'unreadable_update';
ALTER TABLE staging.ic_communication_landing DROP CONSTRAINT ic_communication_landing_fate_check;
ALTER TABLE staging.ic_communication_landing ADD CONSTRAINT ic_communication_landing_fate_check CHECK (
    fate IN ('inserted', 'updated', 'unchanged', 'joined', 'superseded_in_drop', 'stale')
);

ALTER TABLE staging.ic_drop
DROP COLUMN words,
DROP COLUMN reading,
DROP COLUMN trouble;
