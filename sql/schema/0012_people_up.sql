-- Several people on one communication, and rows that the source deleted. Run once by the schema migration 0012;
-- 0012_people_down.sql takes it back. No parameters.

-- Rows that are counted as joined: those of a communication's people and companies beyond the first.
ALTER TABLE staging.ic_drop ADD COLUMN joined bigint NOT NULL DEFAULT 0;
-- Communications that stood and that this drop's deletions took out: inserted less this is what stands.
ALTER TABLE staging.ic_drop ADD COLUMN taken_out bigint NOT NULL DEFAULT 0;

ALTER TABLE staging.ic_communication_landing DROP CONSTRAINT ic_communication_landing_fate_check;
ALTER TABLE staging.ic_communication_landing ADD CONSTRAINT ic_communication_landing_fate_check
CHECK (fate IN ('inserted', 'updated', 'unchanged', 'joined', 'superseded_in_drop', 'stale'));
-- The drop whose joined rows hold the people of this version, where that is not its own: a drop without any column of
-- persons and companies leaves them in place.
ALTER TABLE staging.ic_communication_landing ADD COLUMN party_drop_id integer;

ALTER TABLE staging.ic_rejected_row DROP CONSTRAINT ic_rejected_row_reason_check;
ALTER TABLE staging.ic_rejected_row ADD CONSTRAINT ic_rejected_row_reason_check CHECK (
    reason IN (
        'nul_byte', 'damaged_text', 'too_large', 'bad_quote', 'field_count', 'missing_required',
        'unreadable_required', 'out_of_range', 'deleted_in_source', 'superseded_in_drop', 'unreadable_update', 'stale'
    )
);

-- Communications that the source has deleted, and the row that says so. A later drop that has one again takes it out.
CREATE TABLE staging.ic_deleted_communication (
    comm_communicationid bigint PRIMARY KEY,
    comm_updateddate timestamp,
    source_drop text NOT NULL,
    source_line bigint NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now()
);

-- Grain: one person and company of a communication beyond the first, which the master row has.
CREATE TABLE staging.ic_communication_party (
    ic_communication_master_id bigint NOT NULL
    REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE,
    comm_communicationid bigint NOT NULL,
    position integer NOT NULL CHECK (position >= 2),
    person_id bigint,
    person_firstname text,
    person_lastname text,
    person_emailaddress text,
    company_id bigint,
    company_name text,
    hubspot_contact_id bigint,
    hubspot_company_id bigint,
    source_line bigint NOT NULL,
    PRIMARY KEY (ic_communication_master_id, position)
);
