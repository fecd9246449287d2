-- What the things that start by themselves remember. Run once by the schema migration 0007; 0007_starting_down.sql
-- takes it back. No parameters.

-- The versions of the files of rules that people edit, as they were applied. In force is the one with the highest turn:
-- a version that comes back takes a new one. Grain: one version of one file.
CREATE TABLE staging.ic_rule_file (
    name text NOT NULL,
    digest text NOT NULL,
    modified_at timestamptz NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    turn bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (name, digest)
);

-- The files of the drop folder that were looked into, by what the file system says of them: the folder is compared with
-- this, and no content is read for it. Settled: its content has landed, here or under another name, and stays so when a
-- roll-back takes the rows away.
-- Grain: one file in one state.
CREATE TABLE staging.ic_drop_file (
    file_name text NOT NULL,
    identity text NOT NULL,
    drop_key text,
    refused text,
    is_settled boolean NOT NULL DEFAULT FALSE,
    looked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (file_name, identity),
    CHECK (drop_key IS NOT NULL OR refused IS NOT NULL)
);

-- How often a sensor has started work that is still not done. Another cause begins anew, and what is done has no row.
-- Grain: one piece of work of one sensor.
CREATE TABLE staging.ic_attempt (
    sensor text NOT NULL,
    subject text NOT NULL,
    cause text NOT NULL,
    attempts integer NOT NULL CHECK (attempts > 0),
    tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_key text NOT NULL,
    reason text,
    PRIMARY KEY (sensor, subject)
);
