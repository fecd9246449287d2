-- Of several contents under one id the one that is greatest as canonical JSON, bytewise, stands; one that was set aside
-- stands only where there is no other. Compares what came since the last time, and swaps where another is to stand: the
-- event is new then, with the id and the place that it had. Returns how many were swapped.
-- Parameters: source, topics (a regular expression).
WITH events AS (
    SELECT
        e.id,
        e.topic,
        e.occurred_at,
        e.received_at,
        e.verified_by,
        e.body,
        e.state = 'set_aside' AS is_aside,
        e.reason,
        inbox.canonical(e.body) AS canonical
    FROM inbox.event AS e
    WHERE
        e.id IN (
            SELECT d.event FROM inbox.duplicate AS d
            WHERE d.state = 'new'
        )
        AND e.source = %(source)s
        AND (
            e.topic ~ %(topics)s
            OR EXISTS (
                SELECT FROM inbox.duplicate AS d
                WHERE d.event = e.id AND d.state = 'new' AND d.topic ~ %(topics)s
            )
        )
    ORDER BY e.id
    FOR NO KEY UPDATE
),

greatest_ones AS (
    SELECT DISTINCT ON (d.event)
        d.*,
        inbox.canonical(d.body) AS canonical
    FROM inbox.duplicate AS d
    INNER JOIN events ON d.event = events.id
    WHERE d.state IN ('new', 'kept')
    ORDER BY d.event, inbox.canonical(d.body) COLLATE "C" DESC
),

swaps AS (
    SELECT
        g.*,
        events.topic AS old_topic,
        events.occurred_at AS old_occurred_at,
        events.received_at AS old_received_at,
        events.verified_by AS old_verified_by,
        events.body AS old_body,
        events.is_aside AS old_is_aside,
        events.reason AS old_reason
    FROM greatest_ones AS g
    INNER JOIN events ON g.event = events.id
    WHERE events.is_aside OR g.canonical COLLATE "C" > events.canonical COLLATE "C"
),

settled AS (
    UPDATE inbox.duplicate AS d SET state = 'kept'
    FROM events
    WHERE
        d.event = events.id AND d.state = 'new'
        AND NOT EXISTS (
            SELECT FROM swaps
            WHERE swaps.event = d.event AND swaps.digest = d.digest
        )
),

taken_out AS (
    DELETE FROM inbox.duplicate AS d USING swaps
    WHERE d.event = swaps.event AND d.digest = swaps.digest
),

put_away AS (
    INSERT INTO inbox.duplicate (event, digest, topic, occurred_at, received_at, verified_by, body, state, reason)
    SELECT
        event,
        sha256(convert_to(old_body::text, 'UTF8')),
        old_topic,
        old_occurred_at,
        old_received_at,
        old_verified_by,
        old_body,
        CASE WHEN old_is_aside THEN 'set_aside' ELSE 'kept' END,
        CASE WHEN old_is_aside THEN old_reason END
    FROM swaps
)

UPDATE inbox.event AS e
SET
    topic = swaps.topic,
    occurred_at = swaps.occurred_at,
    received_at = swaps.received_at,
    verified_by = swaps.verified_by,
    body = swaps.body,
    state = 'new',
    reason = NULL,
    done_at = NULL
FROM swaps
WHERE e.id = swaps.event
