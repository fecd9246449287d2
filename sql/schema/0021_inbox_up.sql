-- What came in from outside: events of every source, as they came, and what became of each. Run once by the schema
-- migration 0021; 0021_inbox_down.sql takes it back. No parameters.

DO $$
BEGIN
    -- CREATE SCHEMA IF NOT EXISTS wants the right to create schemas even where the schema is there.
    IF to_regnamespace('inbox') IS NULL THEN
        CREATE SCHEMA inbox;
    END IF;
    -- Where a flow's tables are built anew beside the present ones; between two replays nothing stands in it.
    IF to_regnamespace('ic_replay') IS NULL THEN
        CREATE SCHEMA ic_replay;
    END IF;
END $$;

-- Grain: one event of one source. topic, occurred_at: NULL where none could be read. body: what came; a JSON string
-- that holds the text of it where jsonb cannot hold the value (U+0000, half of a surrogate pair, a number beyond
-- numeric). reason: why it was set aside; of one that is done, what was special about it.
CREATE TABLE inbox.event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL CHECK (source <> ''),
    topic text,
    event_id text NOT NULL CHECK (event_id <> '' AND octet_length(event_id) <= 512),
    occurred_at timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    verified_by text NOT NULL,
    body jsonb NOT NULL,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'done', 'set_aside', 'unknown_topic')),
    reason text,
    done_at timestamptz,
    UNIQUE (source, event_id),
    CHECK (reason IS NOT NULL OR state <> 'set_aside'),
    CHECK ((done_at IS NOT NULL) = (state = 'done'))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
-- What waits, in the order in which it came.
CREATE INDEX event_new ON inbox.event (source, id) WHERE state = 'new';
-- What a person has to look at.
CREATE INDEX event_aside ON inbox.event (source, state, id) WHERE state IN ('set_aside', 'unknown_topic');
-- For pruning: rows lie in the order in which they came.
CREATE INDEX event_received ON inbox.event USING brin (received_at) WITH (pages_per_range = 32);

-- Grain: one other content that came under a known id. digest: sha256 of the body's text. state: new, not yet
-- compared with the one that stands; kept, it would do, another stands; set_aside, a flow could not read it (reason).
CREATE TABLE inbox.duplicate (
    event bigint NOT NULL REFERENCES inbox.event (id) ON DELETE CASCADE,
    digest bytea NOT NULL,
    topic text,
    occurred_at timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    verified_by text NOT NULL,
    body jsonb NOT NULL,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'kept', 'set_aside')),
    reason text,
    PRIMARY KEY (event, digest),
    CHECK (reason IS NOT NULL OR state <> 'set_aside')
);
CREATE INDEX duplicate_new ON inbox.duplicate (event) WHERE state = 'new';

-- Grain: one load of one file of events. The newest of a door and name stands. digest: sha256 of the file as it is;
-- NULL until its end was reached.
CREATE TABLE inbox.event_file (
    file_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    door text NOT NULL,
    file_name text NOT NULL,
    digest text,
    lines bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    differing bigint NOT NULL DEFAULT 0,
    set_aside bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    loaded_at timestamptz,
    CHECK ((loaded_at IS NOT NULL) = (digest IS NOT NULL))
);
CREATE INDEX event_file_name ON inbox.event_file (door, file_name);

-- Grain: one line of a file that is no event.
CREATE TABLE inbox.rejected_line (
    file_id bigint NOT NULL REFERENCES inbox.event_file (file_id) ON DELETE CASCADE,
    line_number bigint NOT NULL,
    reason text NOT NULL,
    raw_line text NOT NULL,
    PRIMARY KEY (file_id, line_number)
);

COMMENT ON TABLE inbox.event IS 'One event of one source, as it came.';
COMMENT ON COLUMN inbox.event.id IS 'Surrogate key; rises about in the order in which events came';
COMMENT ON COLUMN inbox.event.source IS 'Where it came from: chargebee, hubspot, site, …';
COMMENT ON COLUMN inbox.event.topic IS 'What kind of event it is; empty where none could be read';
COMMENT ON COLUMN inbox.event.event_id IS
'The id that the source gave; sha256: and a digest of the body where there is none';
COMMENT ON COLUMN inbox.event.occurred_at IS
'When it happened, as the source says; empty where that could not be read';
COMMENT ON COLUMN inbox.event.received_at IS 'When it came in';
COMMENT ON COLUMN inbox.event.verified_by IS 'Which proof it came with: a verifier of the receiver, file, api';
COMMENT ON COLUMN inbox.event.body IS
'What came; text of JSON where a value cannot be held (U+0000, half a surrogate pair, a huge number)';
COMMENT ON COLUMN inbox.event.state IS 'Whether a flow has dealt with it';
COMMENT ON COLUMN inbox.event.reason IS 'Why it was set aside, or what was special about it';
COMMENT ON COLUMN inbox.event.done_at IS 'When a flow dealt with it';
COMMENT ON TABLE inbox.duplicate IS 'One other content that came under a known id.';
COMMENT ON COLUMN inbox.duplicate.event IS 'The event whose id it came under';
COMMENT ON COLUMN inbox.duplicate.digest IS 'SHA-256 of the body''s text';
COMMENT ON COLUMN inbox.duplicate.topic IS 'As in inbox.event';
COMMENT ON COLUMN inbox.duplicate.occurred_at IS 'As in inbox.event';
COMMENT ON COLUMN inbox.duplicate.received_at IS 'When it came in';
COMMENT ON COLUMN inbox.duplicate.verified_by IS 'Which proof it came with';
COMMENT ON COLUMN inbox.duplicate.body IS 'What came';
COMMENT ON COLUMN inbox.duplicate.state IS
'new: not compared yet; kept: another content stands; set_aside: a flow could not read it';
COMMENT ON COLUMN inbox.duplicate.reason IS 'Why it was set aside';
COMMENT ON TABLE inbox.event_file IS 'One load of one file of events; the newest of a door and name stands.';
COMMENT ON COLUMN inbox.event_file.file_id IS 'Surrogate key';
COMMENT ON COLUMN inbox.event_file.door IS 'The door that it was loaded through';
COMMENT ON COLUMN inbox.event_file.file_name IS 'Name of the file';
COMMENT ON COLUMN inbox.event_file.digest IS 'SHA-256 of the file as it is; empty until its end was reached';
COMMENT ON COLUMN inbox.event_file.lines IS 'Lines with something in them, without a header';
COMMENT ON COLUMN inbox.event_file.stored IS 'Events that were new';
COMMENT ON COLUMN inbox.event_file.duplicates IS 'Events that were known';
COMMENT ON COLUMN inbox.event_file.differing IS 'Events of a known id with another content';
COMMENT ON COLUMN inbox.event_file.set_aside IS 'Of the new ones, those that lack an id, a time or a topic';
COMMENT ON COLUMN inbox.event_file.rejected IS 'Lines that are no event';
COMMENT ON COLUMN inbox.event_file.started_at IS 'When the load began';
COMMENT ON COLUMN inbox.event_file.loaded_at IS 'When its end was reached';
COMMENT ON TABLE inbox.rejected_line IS 'One line of a file that is no event.';
COMMENT ON COLUMN inbox.rejected_line.file_id IS 'The load';
COMMENT ON COLUMN inbox.rejected_line.line_number IS 'Physical line of the file on which it starts';
COMMENT ON COLUMN inbox.rejected_line.reason IS 'What is wrong with it';
COMMENT ON COLUMN inbox.rejected_line.raw_line IS 'The line as it was in the file, at most 8,000 characters of it';
