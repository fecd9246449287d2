-- Takes 0026_record_key_up.sql back. No parameters.

DROP INDEX staging.ic_deleted_communication_record_key;
DROP INDEX staging.ic_communication_master_record_key;
ALTER TABLE hubspot.push_rollback_record ALTER COLUMN record_key TYPE bigint USING record_key::bigint;
ALTER TABLE hubspot.push_rollback_record RENAME COLUMN record_key TO communication_id;
ALTER TABLE hubspot.push_preview ALTER COLUMN record_key TYPE bigint USING record_key::bigint;
ALTER TABLE hubspot.push_preview RENAME COLUMN record_key TO communication_id;
ALTER TABLE hubspot.push_plan ALTER COLUMN record_key TYPE bigint USING record_key::bigint;
ALTER TABLE hubspot.push_plan RENAME COLUMN record_key TO communication_id;
ALTER TABLE hubspot.push_ledger ALTER COLUMN record_key TYPE bigint USING record_key::bigint;
ALTER TABLE hubspot.push_ledger RENAME COLUMN record_key TO communication_id;
