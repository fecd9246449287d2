-- What a push planned and left pending since staging says something else of it by now. Grain: one activity type and
-- month. {desired}, {sources}, {deleted}: views of the flow (ledger/outgoing.py). Parameters: portal_id, object_type,
-- push_id. Index: push_ledger_pending.
SELECT
    p.activity_type,
    p.activity_month,
    count(*) AS records
FROM hubspot.push_ledger AS l
INNER JOIN hubspot.push_plan AS p
    ON
        p.push_id = %(push_id)s
        AND l.object_type = p.object_type
        AND l.record_key = p.record_key
        AND l.part = p.part
LEFT JOIN LATERAL (
    SELECT one.payload
    FROM {desired} AS one
    WHERE one.record_key = l.record_key AND one.part = l.part
    LIMIT 1 -- noqa: AM09
) AS d ON TRUE
LEFT JOIN LATERAL (
    SELECT one.object_type
    FROM {sources} AS one
    WHERE one.record_key = l.record_key
    LIMIT 1 -- noqa: AM09
) AS s ON TRUE
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = %(object_type)s
    AND l.state = 'pending'
    AND CASE
        WHEN p.hash IS NOT NULL THEN md5(d.payload::text)::uuid IS DISTINCT FROM p.hash OR l.action = 'remove'
        WHEN l.action <> 'remove' THEN TRUE
        WHEN l.part > 1 THEN d.payload IS NOT NULL
        WHEN s.object_type IS NULL
            THEN NOT EXISTS (
                SELECT 1
                FROM {deleted} AS gone
                WHERE gone.record_key = l.record_key
            )
        ELSE s.object_type IS DISTINCT FROM p.activity_type
    END
GROUP BY p.activity_type, p.activity_month
ORDER BY p.activity_type, p.activity_month;
