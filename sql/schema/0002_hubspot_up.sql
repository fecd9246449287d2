-- What we know about HubSpot: the portals, the push ledger, and the books of each push. No foreign keys into
-- staging: rolling staging back must not forget what stands in HubSpot.
-- Run once by the schema migration 0002; 0002_hubspot_down.sql takes it back. No parameters.

DO $$
BEGIN
    -- CREATE SCHEMA IF NOT EXISTS wants the right to create schemas even where the schema is there.
    IF to_regnamespace('hubspot') IS NULL THEN
        CREATE SCHEMA hubspot;
    END IF;
END $$;

CREATE TABLE hubspot.portal (
    portal_id bigint PRIMARY KEY,
    base_url text NOT NULL,
    time_zone text NOT NULL DEFAULT 'UTC',
    account_type text,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_pushed_at timestamptz
);

-- What `hubspot setup` found out about the property that carries the communication id.
-- is_unique: the portal declares it unique. is_enforced: a second record with one value was really refused.
CREATE TABLE hubspot.portal_property (
    portal_id bigint NOT NULL REFERENCES hubspot.portal (portal_id),
    object_type text NOT NULL,
    property_name text NOT NULL,
    is_unique boolean NOT NULL,
    is_enforced boolean NOT NULL,
    note text,
    checked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (portal_id, object_type, property_name)
);

-- Grain: one call of the push (or of its roll-back). push_id is also the worker's name in the ledger and the
-- number of the advisory lock that its process holds while it lives.
CREATE TABLE hubspot.push_run (
    push_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text,
    portal_id bigint NOT NULL REFERENCES hubspot.portal (portal_id),
    mode text NOT NULL CHECK (mode IN ('test', 'production', 'rollback')),
    options jsonb NOT NULL,
    approved_by text,
    counts jsonb,
    result text NOT NULL DEFAULT 'running' CHECK (result IN ('running', 'done', 'stopped', 'refused')),
    stopped_reason text,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE INDEX push_run_run_id ON hubspot.push_run (run_id);

-- Grain: one HTTP request. For the report's latency, throughput and budget figures.
CREATE TABLE hubspot.push_request (
    push_id integer NOT NULL REFERENCES hubspot.push_run (push_id) ON DELETE CASCADE,
    sent_at timestamptz NOT NULL,
    operation text NOT NULL,
    object_type text,
    inputs integer NOT NULL,
    status integer,
    milliseconds real NOT NULL
);
CREATE INDEX push_request_push_id ON hubspot.push_request (push_id);

-- Grain: one record that stands, or shall stand, in one portal. object_type is HubSpot's slug;
-- activity_type is the type of the communication, which differs for the notes that continue an over-long
-- body (part from 2). desired_hash: md5 of the stored payload; sent_hash: of what the last attempt sent;
-- pushed_hash: of what HubSpot holds, NULL when that is not known for certain. pushed: {"properties":
-- {name: hash of value}, "associations": [[object, id, type], ...]}. push_id: the push that last had it in
-- hand; created_push_id: the one that created what stands in HubSpot. revision: part of the unique value
-- once an archived record keeps the plain one occupied.
CREATE TABLE hubspot.push_ledger (
    portal_id bigint NOT NULL,
    communication_id bigint NOT NULL,
    object_type text NOT NULL,
    part integer NOT NULL DEFAULT 1 CHECK (part >= 1),
    activity_type text NOT NULL,
    activity_month date NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'in_flight', 'unknown', 'pushed', 'failed', 'held', 'removed')),
    action text CHECK (action IN ('create', 'update', 'remove')),
    desired_hash uuid,
    sent_hash uuid,
    pushed_hash uuid,
    pushed jsonb,
    hubspot_id bigint,
    revision integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    error_category text,
    correlation_id text,
    worker integer,
    claimed_at timestamptz,
    check_after timestamptz,
    in_doubt_until timestamptz,
    push_id integer,
    created_push_id integer,
    pushed_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (portal_id, communication_id, object_type, part),
    CHECK (action IS NOT NULL OR state NOT IN ('pending', 'in_flight', 'unknown')),
    CHECK (worker IS NOT NULL OR state NOT IN ('in_flight', 'unknown')),
    CHECK (hubspot_id IS NOT NULL OR state <> 'pushed')
);
-- The claim, and the look for claims of dead workers.
CREATE INDEX push_ledger_pending ON hubspot.push_ledger (portal_id, object_type, action, communication_id, part)
WHERE state = 'pending';
CREATE INDEX push_ledger_claimed ON hubspot.push_ledger (portal_id, worker)
WHERE state IN ('in_flight', 'unknown');
-- The look for continuation notes that a shorter body no longer needs.
CREATE INDEX push_ledger_part ON hubspot.push_ledger (portal_id, communication_id) WHERE part > 1;

-- One row per portal and kind of request. slots: when the last requests were let go, newest last.
CREATE TABLE hubspot.rate_budget (
    portal_id bigint NOT NULL,
    kind text NOT NULL,
    rps double precision NOT NULL,
    next_at double precision NOT NULL DEFAULT 0,
    slots double precision[] NOT NULL DEFAULT '{}',
    portal_rps double precision,
    daily_remaining bigint,
    daily_seen_at timestamptz,
    PRIMARY KEY (portal_id, kind)
);

-- What the last dry run said would become of each record that is not already as it shall be.
CREATE TABLE hubspot.push_preview (
    portal_id bigint NOT NULL,
    communication_id bigint NOT NULL,
    object_type text NOT NULL,
    part integer NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('create', 'update', 'conflict', 'remove')),
    hubspot_id bigint,
    PRIMARY KEY (portal_id, communication_id, object_type, part)
);

-- What a roll-back found and did, one row per record; each carries the hash of the one before it.
CREATE TABLE hubspot.push_rollback_record (
    record_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    push_id integer NOT NULL,
    portal_id bigint NOT NULL,
    communication_id bigint NOT NULL,
    object_type text NOT NULL,
    part integer NOT NULL,
    hubspot_id bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('archived', 'held_back', 'already_gone', 'failed')),
    before jsonb NOT NULL,
    reason text,
    recorded_at timestamptz NOT NULL,
    previous_hash text NOT NULL,
    record_hash text NOT NULL UNIQUE
);
CREATE INDEX push_rollback_record_hubspot_id ON hubspot.push_rollback_record (portal_id, hubspot_id);
