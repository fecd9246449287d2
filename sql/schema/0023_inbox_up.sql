-- What came in from outside: events of every source, as they came, and what became of each. Run once by the schema
-- migration 0023; 0023_inbox_down.sql takes it back. No parameters.

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
-- What waits, in the order in which it came. id + 0, so that a statement in that order finds what waits here and not by
-- the primary key, among all that was ever done (sql/inbox/take.sql).
CREATE INDEX event_new ON inbox.event (source, (id + 0)) WHERE state = 'new';
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

-- Grain: one load of one file of events. The newest of a door and name stands. identity: its size, modification time
-- and inode. digest: sha256 of its content, unpacked; NULL until its end was reached.
CREATE TABLE inbox.event_file (
    file_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    door text NOT NULL,
    file_name text NOT NULL,
    identity text NOT NULL,
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
