-- Takes back 0012_people_up.sql. Rows that it alone knows of go with it.
DROP TABLE staging.ic_communication_party;
DROP TABLE staging.ic_deleted_communication;
DELETE FROM staging.ic_rejected_row
WHERE reason = 'deleted_in_source';
ALTER TABLE staging.ic_rejected_row DROP CONSTRAINT ic_rejected_row_reason_check;
ALTER TABLE staging.ic_rejected_row ADD CONSTRAINT ic_rejected_row_reason_check CHECK (
    reason IN (
        'nul_byte', 'damaged_text', 'too_large', 'bad_quote', 'field_count', 'missing_required',
        'unreadable_required', 'out_of_range', 'superseded_in_drop', 'unreadable_update', 'stale'
    )
);
ALTER TABLE staging.ic_communication_landing DROP COLUMN party_drop_id;
DELETE FROM staging.ic_communication_landing
WHERE fate = 'joined';
ALTER TABLE staging.ic_communication_landing DROP CONSTRAINT ic_communication_landing_fate_check;
ALTER TABLE staging.ic_communication_landing ADD CONSTRAINT ic_communication_landing_fate_check
CHECK (fate IN ('inserted', 'updated', 'unchanged', 'superseded_in_drop', 'stale'));
ALTER TABLE staging.ic_drop DROP COLUMN taken_out;
ALTER TABLE staging.ic_drop DROP COLUMN joined;
