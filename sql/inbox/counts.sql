-- What is not done, by source, state and reason. No parameters.
SELECT
    source,
    state,
    '' AS reason,
    count(*) AS events,
    min(received_at) AS since
FROM inbox.event
WHERE state = 'new'
GROUP BY source, state
UNION ALL
SELECT
    source,
    state,
    coalesce(reason, ''),
    count(*),
    min(received_at)
FROM inbox.event
WHERE state IN ('set_aside', 'unknown_topic')
GROUP BY source, state, reason
UNION ALL
SELECT
    e.source,
    'differing',
    d.state,
    count(*),
    min(d.received_at)
FROM inbox.duplicate AS d
INNER JOIN inbox.event AS e ON d.event = e.id
GROUP BY e.source, d.state
ORDER BY 1, 2, 4 DESC, 3
