-- Takes 0028_payload_version_up.sql back. No parameters.
ALTER TABLE staging.ic_month_stage DROP COLUMN payload_version;
