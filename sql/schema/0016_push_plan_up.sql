-- What a push judged is what it sends: its plan is kept while it works. Run once by the schema migration 0016;
-- 0016_push_plan_down.sql takes it back. No parameters.

-- Grain: one record that one push shall create, change or remove, as staging stood in the snapshot in which it was
-- judged. hash: md5 of the payload; NULL: the record shall not stand. activity_type: the type that the communication
-- has. Rows live as long as the push. Unlogged: a crash of the server ends every push.
CREATE UNLOGGED TABLE hubspot.push_plan (
    push_id integer NOT NULL,
    object_type text NOT NULL,
    communication_id bigint NOT NULL,
    part integer NOT NULL,
    activity_type text NOT NULL,
    activity_month date NOT NULL,
    is_held boolean NOT NULL,
    hash uuid,
    PRIMARY KEY (push_id, object_type, communication_id, part)
);

ALTER TABLE hubspot.approval ADD COLUMN overwrite_edits boolean NOT NULL DEFAULT FALSE;
ALTER TABLE hubspot.push_run ADD COLUMN approval_id integer REFERENCES hubspot.approval (approval_id);

-- A dry run tells what people changed in HubSpot.
ALTER TABLE hubspot.push_preview DROP CONSTRAINT push_preview_verdict_check;
ALTER TABLE hubspot.push_preview
ADD CONSTRAINT push_preview_verdict_check CHECK (verdict IN ('create', 'update', 'edited', 'conflict', 'remove'));

-- The record of a roll-back is written before HubSpot hears of it. Nothing read its chain of hashes.
ALTER TABLE hubspot.push_rollback_record DROP COLUMN previous_hash, DROP COLUMN record_hash;
ALTER TABLE hubspot.push_rollback_record DROP CONSTRAINT push_rollback_record_outcome_check;
ALTER TABLE hubspot.push_rollback_record
ADD CONSTRAINT push_rollback_record_outcome_check
CHECK (outcome IN ('intended', 'archived', 'held_back', 'already_gone', 'failed'));
