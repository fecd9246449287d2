-- Events that were set aside before a flow saw them, since their envelope could not be read. A page of them.
-- Parameters: source, reason, id (NULL: any); after, most.
SELECT
    e.id,
    e.source,
    e.verified_by,
    e.received_at,
    e.body::text AS body
FROM inbox.event AS e
WHERE
    e.state = 'set_aside'
    AND (e.topic IS NULL OR e.occurred_at IS NULL OR starts_with(e.event_id, 'sha256:'))
    AND (%(source)s::text IS NULL OR e.source = %(source)s)
    AND (%(reason)s::text IS NULL OR e.reason = %(reason)s OR starts_with(e.reason, %(reason)s || ':'))
    AND (%(id)s::bigint IS NULL OR e.id = %(id)s)
    AND e.id > %(after)s
ORDER BY e.id
LIMIT %(most)s
