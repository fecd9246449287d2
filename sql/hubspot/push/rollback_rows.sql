-- Records of one portal that a roll-back would take back: they stand in HubSpot, nobody has them in hand, and every
-- given criterion holds (NULL: not given). Grain: one ledger row; payload only where an update with it was never
-- confirmed, so that HubSpot may hold it. {desired}: the flow's view of what shall stand of object_type. Parameters:
-- portal_id, object_type, after_key, after_part and row_limit (paging), types, window_start, window_end (excluded),
-- push_ids (that created them), ids.
WITH chosen AS (
    SELECT l.*
    FROM hubspot.push_ledger AS l
    WHERE
        l.portal_id = %(portal_id)s
        AND l.hubspot_id IS NOT NULL
        AND l.state IN ('pushed', 'pending', 'failed', 'held')
        AND l.object_type = %(object_type)s
        AND (l.record_key, l.part) > (%(after_key)s, %(after_part)s)
        AND l.activity_type = any(%(types)s)
        AND l.activity_month >= %(window_start)s
        AND l.activity_month < %(window_end)s
        AND (%(push_ids)s::integer[] IS NULL OR l.created_push_id = any(%(push_ids)s))
        AND (%(ids)s::text[] IS NULL OR l.record_key = any(%(ids)s))
    ORDER BY l.record_key, l.part
    LIMIT %(row_limit)s
)

SELECT
    c.record_key,
    c.object_type,
    c.part,
    c.activity_type,
    'remove' AS action,
    c.hubspot_id,
    c.revision,
    c.attempts,
    c.pushed,
    c.pushed_hash,
    c.sent_hash AS earlier_hash,
    md5(d.payload::text)::uuid AS hash,
    d.payload
FROM chosen AS c
LEFT JOIN LATERAL (
    SELECT one.payload
    FROM {desired} AS one
    WHERE c.sent_hash IS NOT NULL AND one.record_key = c.record_key AND one.part = c.part
    LIMIT 1 -- noqa: AM09
) AS d ON TRUE
ORDER BY c.record_key, c.part;
