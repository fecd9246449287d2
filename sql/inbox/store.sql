-- Keeps the events of a batch that are not known by source and event id, and returns the ids of those. In the order of
-- the keys, so that two batches with the same events cannot wait for each other; of two with one key the first.
-- Parameters: arrays beside each other; received_at NULL is now.
INSERT INTO inbox.event (source, topic, event_id, occurred_at, received_at, verified_by, body, state, reason)
SELECT
    given.source,
    given.topic,
    given.event_id,
    given.occurred_at,
    coalesce(given.received_at, now()),
    given.verified_by,
    given.body::jsonb,
    given.state,
    given.reason
FROM
    unnest(
        %(source)s::text[],
        %(topic)s::text[],
        %(event_id)s::text[],
        %(occurred_at)s::timestamptz[],
        %(received_at)s::timestamptz[],
        %(verified_by)s::text[],
        %(body)s::text[],
        %(state)s::text[],
        %(reason)s::text[]
    ) WITH ORDINALITY
        AS given (
            source, topic, event_id, occurred_at, received_at, verified_by, body, state, reason, place
        )
-- Not left to ON CONFLICT alone: that waits for a flow that has the known event in hand.
WHERE
    NOT EXISTS (
        SELECT FROM inbox.event AS known
        WHERE known.source = given.source AND known.event_id = given.event_id
    )
ORDER BY given.source, given.event_id, given.place
ON CONFLICT (source, event_id) DO NOTHING
RETURNING source, event_id
