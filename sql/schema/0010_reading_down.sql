-- Takes back 0010_reading_up.sql. What the earlier tables cannot hold is counted anew or forgotten. No parameters.
DROP INDEX staging.ic_figure_of_source;
DELETE FROM staging.ic_figure;
DELETE FROM staging.ic_figure_month;
ALTER TABLE staging.ic_figure ADD PRIMARY KEY (source, figure, item, comm_month);

UPDATE staging.ic_rejected_row
SET reason = 'unreadable_required'
WHERE reason IN ('damaged_text', 'too_large', 'bad_quote', 'deleted_in_source', 'unreadable_update');
ALTER TABLE staging.ic_rejected_row DROP CONSTRAINT ic_rejected_row_reason_check;
ALTER TABLE staging.ic_rejected_row ADD CONSTRAINT ic_rejected_row_reason_check CHECK (
    reason IN (
        'nul_byte', 'field_count', 'missing_required', 'unreadable_required', 'out_of_range',
        'superseded_in_drop', 'stale'
    )
);

DELETE FROM staging.ic_communication_landing
WHERE fate IN ('joined', 'unreadable_update');
ALTER TABLE staging.ic_communication_landing DROP CONSTRAINT ic_communication_landing_fate_check;
ALTER TABLE staging.ic_communication_landing ADD CONSTRAINT ic_communication_landing_fate_check CHECK (
    fate IN ('inserted', 'updated', 'unchanged', 'superseded_in_drop', 'stale')
);

ALTER TABLE staging.ic_drop
DROP COLUMN words,
DROP COLUMN reading,
DROP COLUMN trouble;
