-- What the flow's archive holds of one source and the inbox no longer does, numbered below zero: it came before all
-- that is there. Parameters: source, topics (a regular expression), since (NULL: all). {archive}: the flow's.
INSERT INTO pg_temp.ic_archived (id, source, topic, event_id, occurred_at, received_at, verified_by, body)
SELECT
    row_number() OVER (ORDER BY a.received_at, a.event_id) - count(*) OVER () - 1
    + (SELECT least(coalesce(min(earlier.id), 0), 0) FROM pg_temp.ic_archived AS earlier),
    a.source,
    a.topic,
    a.event_id,
    a.occurred_at,
    a.received_at,
    a.verified_by,
    a.body
FROM {archive} AS a
WHERE
    a.source = %(source)s
    AND a.topic ~ %(topics)s
    AND (%(since)s::timestamptz IS NULL OR a.occurred_at >= %(since)s)
    AND NOT EXISTS (
        SELECT FROM inbox.event AS e
        WHERE e.source = a.source AND e.event_id = a.event_id
    )
