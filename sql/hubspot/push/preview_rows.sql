-- What a push would take up, after the plan and inside its transaction: rows to be sent, and rows of a worker that died
-- or is still at it. Grain: one ledger row; payload and pushed only for updates, whose requests depend on them.
-- {desired}, {sources}, {deleted}: views of the flow (ledger/outgoing.py). Parameters: portal_id, object_type, types,
-- window_start, window_end (excluded).
SELECT
    l.record_key,
    l.part,
    l.action,
    l.hubspot_id,
    l.revision,
    CASE WHEN l.action = 'update' THEN l.pushed END AS pushed,
    CASE WHEN l.action = 'update' THEN d.payload END AS payload,
    CASE WHEN l.action = 'update' THEN l.sent_hash END AS earlier_hash,
    CASE WHEN l.action = 'update' THEN md5(d.payload::text)::uuid END AS hash
FROM hubspot.push_ledger AS l
LEFT JOIN {desired} AS d ON l.record_key = d.record_key AND l.part = d.part
LEFT JOIN LATERAL (
    SELECT one.object_type
    FROM {sources} AS one
    WHERE l.action = 'remove' AND one.record_key = l.record_key
    LIMIT 1 -- noqa: AM09
) AS s ON TRUE
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = %(object_type)s
    AND l.state IN ('pending', 'in_flight', 'unknown')
    AND (
        l.activity_type = any(%(types)s)
        OR (l.action = 'remove' AND l.part = 1 AND s.object_type = any(%(types)s))
    )
    AND (l.action = 'remove' OR (l.activity_month >= %(window_start)s AND l.activity_month < %(window_end)s))
    AND (l.action = 'remove' OR d.payload IS NOT NULL)
    AND (
        l.action <> 'remove'
        OR l.part > 1
        OR EXISTS (
            SELECT 1
            FROM {deleted} AS gone
            WHERE gone.record_key = l.record_key
        )
        OR EXISTS (
            SELECT 1
            FROM hubspot.push_ledger AS successor
            WHERE
                successor.portal_id = l.portal_id
                AND successor.record_key = l.record_key
                AND successor.object_type = s.object_type
                AND successor.object_type <> l.object_type
                AND successor.part = 1
                AND (
                    successor.state IN ('pushed', 'in_flight', 'unknown')
                    OR (successor.state = 'pending' AND successor.activity_type = any(%(types)s))
                )
        )
    )
ORDER BY l.record_key, l.part;
