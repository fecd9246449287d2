-- The next events of a replay, in the order in which they came: what a flow has done, in the inbox or its archive.
-- Parameters: keys (jsonb: [{"source", "topics"}]), since (NULL: all), after, most.
INSERT INTO pg_temp.ic_batch (id)
SELECT found.id
FROM (
    SELECT a.id
    FROM pg_temp.ic_archived AS a
    UNION ALL
    SELECT e.id
    FROM inbox.event AS e
    INNER JOIN jsonb_to_recordset(%(keys)s) AS taken (source text, topics text)
        ON e.source = taken.source AND e.topic ~ taken.topics
    WHERE
        e.state = 'done'
        AND e.id > %(after)s
        AND (%(since)s::timestamptz IS NULL OR e.occurred_at >= %(since)s OR e.occurred_at IS NULL)
) AS found
WHERE found.id > %(after)s
ORDER BY found.id
LIMIT %(most)s
