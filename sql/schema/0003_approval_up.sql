-- Who let a push write to production, when, and for exactly which data. Run once by the schema migration 0003;
-- 0003_approval_down.sql takes it back. No parameters.

CREATE TABLE hubspot.approval (
    approval_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    approved_by text NOT NULL,
    approved_at timestamptz NOT NULL DEFAULT now(),
    portal_id bigint NOT NULL,
    types text[] NOT NULL,
    first_month date,
    last_month date,
    include_orphans boolean NOT NULL,
    records bigint NOT NULL,
    orphans bigint NOT NULL,
    fingerprint text NOT NULL
);
CREATE INDEX approval_fingerprint ON hubspot.approval (portal_id, fingerprint);
