-- Takes 0025_settings_up.sql back. No parameters.
DROP TABLE staging.ic_setting;
UPDATE staging.ic_month
SET cause = 'landing'
WHERE cause = 'setting';
ALTER TABLE staging.ic_month DROP CONSTRAINT ic_month_cause_check;
ALTER TABLE staging.ic_month ADD CONSTRAINT ic_month_cause_check
CHECK (cause IN ('landing', 'reconciliation', 'classification'));
