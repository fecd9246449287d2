-- Of events whose source and id are known: keeps each content that is new beside the one that stands, and returns the
-- places (from 1) of those. Touches no row that a flow may have in hand.
-- Parameters: arrays beside each other; received_at NULL is now.
WITH given AS (
    SELECT
        event.id AS event,
        one.place,
        one.topic,
        one.occurred_at,
        coalesce(one.received_at, now()) AS received_at,
        one.verified_by,
        one.body::jsonb AS body,
        sha256(convert_to(one.body::jsonb::text, 'UTF8')) AS digest,
        one.state,
        one.reason
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
            AS one (
                source, topic, event_id, occurred_at, received_at, verified_by, body, state, reason, place
            )
    INNER JOIN inbox.event ON one.source = event.source AND one.event_id = event.event_id
    WHERE event.body <> one.body::jsonb
),

first_ones AS (
    SELECT DISTINCT ON (given.event, given.digest) given.*
    FROM given
    ORDER BY given.event, given.digest, given.place
),

kept AS (
    INSERT INTO inbox.duplicate (event, digest, topic, occurred_at, received_at, verified_by, body, state, reason)
    SELECT
        event,
        digest,
        topic,
        occurred_at,
        received_at,
        verified_by,
        body,
        CASE state WHEN 'set_aside' THEN 'set_aside' ELSE 'new' END,
        reason
    FROM first_ones
    ORDER BY event, digest
    ON CONFLICT (event, digest) DO NOTHING
    RETURNING event, digest
)

SELECT first_ones.place
FROM first_ones
INNER JOIN kept ON first_ones.event = kept.event AND first_ones.digest = kept.digest
