-- The push ledger knows no communications: its records have a key that a flow gives them, text. The column of each
-- table is rewritten once, with its indexes. Run once by the schema migration 0026; 0026_record_key_down.sql takes it
-- back. No parameters.
--
-- COLLATE "C": keys are compared as bytes, which costs no more than numbers do and is the same after an upgrade of the
-- system's collations.
ALTER TABLE hubspot.push_ledger RENAME COLUMN communication_id TO record_key;
ALTER TABLE hubspot.push_ledger ALTER COLUMN record_key TYPE text COLLATE "C" USING record_key::text;
ALTER TABLE hubspot.push_plan RENAME COLUMN communication_id TO record_key;
ALTER TABLE hubspot.push_plan ALTER COLUMN record_key TYPE text COLLATE "C" USING record_key::text;
ALTER TABLE hubspot.push_preview RENAME COLUMN communication_id TO record_key;
ALTER TABLE hubspot.push_preview ALTER COLUMN record_key TYPE text COLLATE "C" USING record_key::text;
ALTER TABLE hubspot.push_rollback_record RENAME COLUMN communication_id TO record_key;
ALTER TABLE hubspot.push_rollback_record ALTER COLUMN record_key TYPE text COLLATE "C" USING record_key::text;

-- A claim looks each of its rows up by the key.
CREATE INDEX ic_communication_master_record_key
ON staging.ic_communication_master ((comm_communicationid::text) COLLATE "C");
CREATE INDEX ic_deleted_communication_record_key
ON staging.ic_deleted_communication ((comm_communicationid::text) COLLATE "C");
