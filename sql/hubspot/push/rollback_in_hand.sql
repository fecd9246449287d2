-- Records within a roll-back's selection that some push or roll-back has in its hands, and whether that lives.
-- Grain: one worker. Parameters: portal_id, class (of the workers' locks), types, window_start, window_end
-- (excluded), push_ids, ids (NULL: not given). Index: push_ledger_claimed.
WITH living AS (
    SELECT objid::bigint AS worker
    FROM pg_locks
    WHERE
        locktype = 'advisory'
        AND classid::bigint = %(class)s
        AND objsubid = 2
        AND granted
        AND database = (
            SELECT oid FROM pg_database
            WHERE datname = current_database()
        )
)

SELECT
    l.worker,
    count(living.worker) > 0 AS is_alive,
    count(*) AS records
FROM hubspot.push_ledger AS l
LEFT JOIN living ON l.worker = living.worker
WHERE
    l.portal_id = %(portal_id)s
    AND l.state IN ('in_flight', 'unknown')
    AND l.activity_type = any(%(types)s)
    AND l.activity_month >= %(window_start)s
    AND l.activity_month < %(window_end)s
    AND (
        %(push_ids)s::integer[] IS NULL
        OR CASE l.action WHEN 'create' THEN l.push_id ELSE l.created_push_id END = any(%(push_ids)s)
    )
    AND (%(ids)s::text[] IS NULL OR l.record_key = any(%(ids)s))
GROUP BY l.worker
ORDER BY l.worker;
