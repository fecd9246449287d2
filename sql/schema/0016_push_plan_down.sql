-- Takes 0016_push_plan_up.sql back. No parameters.
ALTER TABLE hubspot.push_rollback_record DROP CONSTRAINT push_rollback_record_outcome_check;
UPDATE hubspot.push_rollback_record SET outcome = 'failed'
WHERE outcome = 'intended';
ALTER TABLE hubspot.push_rollback_record
ADD CONSTRAINT push_rollback_record_outcome_check
CHECK (outcome IN ('archived', 'held_back', 'already_gone', 'failed'));
ALTER TABLE hubspot.push_rollback_record
ADD COLUMN previous_hash text NOT NULL DEFAULT '',
ADD COLUMN record_hash text;
UPDATE hubspot.push_rollback_record SET record_hash = record_id::text;
ALTER TABLE hubspot.push_rollback_record
ALTER COLUMN previous_hash DROP DEFAULT,
ALTER COLUMN record_hash SET NOT NULL,
ADD CONSTRAINT push_rollback_record_record_hash_key UNIQUE (record_hash);
DELETE FROM hubspot.push_preview
WHERE verdict = 'edited';
ALTER TABLE hubspot.push_preview DROP CONSTRAINT push_preview_verdict_check;
ALTER TABLE hubspot.push_preview
ADD CONSTRAINT push_preview_verdict_check CHECK (verdict IN ('create', 'update', 'conflict', 'remove'));
ALTER TABLE hubspot.push_run DROP COLUMN approval_id;
ALTER TABLE hubspot.approval DROP COLUMN overwrite_edits;
DROP TABLE hubspot.push_plan;
