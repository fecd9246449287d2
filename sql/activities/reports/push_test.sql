-- The last test push. No parameters.
SELECT
    push_id AS push,
    started_at::timestamp(0) AS started_at,
    result,
    (counts ->> 'sent')::bigint AS sent,
    (counts ->> 'rejected')::bigint AS rejected,
    (counts ->> 'unknown')::bigint AS unknown
FROM hubspot.push_run
WHERE mode = 'test' AND (counts ->> 'sent')::bigint > 0
ORDER BY push_id DESC
LIMIT 1
