-- What the CRM's words mean, as data: the action beside the type, and directions, statuses and priorities. Each table
-- holds one file of sql/activities, or of $IC_HOME, and is brought in line with it before a stage runs. The words are
-- trimmed and in lower case; '(blank)' stands for no value, '*' for any that no other line names.
-- Run once by the schema migration 0019; 0019_mapping_down.sql takes it back. No parameters.

-- It takes the action as well now (functions.sql), and two of one name would leave a call with three arguments open.
DROP FUNCTION IF EXISTS staging.classify_activity_type(text, text, bigint);

ALTER TABLE staging.ic_activity_classification
ADD COLUMN comm_action text NOT NULL DEFAULT '*' CHECK (comm_action = staging.ic_norm(comm_action)),
DROP CONSTRAINT ic_activity_classification_pkey,
ADD PRIMARY KEY (comm_type, comm_action);
ALTER TABLE staging.ic_activity_classification ALTER COLUMN comm_action DROP DEFAULT;

CREATE TABLE staging.ic_direction_rule (
    comm_action text PRIMARY KEY CHECK (comm_action = staging.ic_norm(comm_action)),
    direction text NOT NULL CHECK (direction IN ('INBOUND', 'OUTBOUND'))
);

-- result: a value of the type's own enumeration; BY_DATE is COMPLETED or SCHEDULED, by the reference time. NULL: none.
CREATE TABLE staging.ic_status_rule (
    activity_type text NOT NULL CHECK (activity_type IN ('calls', 'emails', 'meetings', 'tasks')),
    comm_status text NOT NULL CHECK (comm_status = staging.ic_norm(comm_status)),
    result text,
    disposition text CHECK (disposition IS NULL OR activity_type = 'calls'),
    PRIMARY KEY (activity_type, comm_status)
);

CREATE TABLE staging.ic_priority_rule (
    comm_priority text PRIMARY KEY CHECK (comm_priority = staging.ic_norm(comm_priority)),
    result text CHECK (result IN ('LOW', 'MEDIUM', 'HIGH'))
);

-- Where the version in force came from: a file of $IC_HOME goes before the packaged one, whichever was written last.
ALTER TABLE staging.ic_rule_file ADD COLUMN is_own boolean NOT NULL DEFAULT FALSE;
-- Its columns are others now: the packaged file is to be read again.
DELETE FROM staging.ic_rule_file
WHERE name = 'activities/classification.csv';

-- Durations and ends in UTC, outcomes that claim nothing: every month may come out differently.
UPDATE staging.ic_month
SET change_number = nextval('staging.ic_change_number'), cause = 'classification', changed_at = now();
