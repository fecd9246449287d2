-- With which templates the payloads of a month were made. Run once by the schema migration 0028;
-- 0028_payload_version_down.sql takes it back. No parameters.

-- payload_version: NULL for stages that make no payloads, and for months that ran before it was recorded.
ALTER TABLE staging.ic_month_stage ADD COLUMN payload_version text;
