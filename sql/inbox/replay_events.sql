-- The events of a replay's batch. No parameters.
SELECT
    e.id,
    e.source,
    e.topic,
    e.event_id,
    e.occurred_at,
    e.received_at,
    e.verified_by,
    e.body
FROM inbox.event AS e
INNER JOIN pg_temp.ic_batch AS b ON e.id = b.id
UNION ALL
SELECT
    a.id,
    a.source,
    a.topic,
    a.event_id,
    a.occurred_at,
    a.received_at,
    a.verified_by,
    a.body
FROM pg_temp.ic_archived AS a
INNER JOIN pg_temp.ic_batch AS b ON a.id = b.id
