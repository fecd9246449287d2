-- Records of one portal that a roll-back would take back: they stand in HubSpot, nobody has them in hand, and every
-- given criterion holds (NULL: not given). Grain: one ledger row; payload only where an update with it was never
-- confirmed, so that HubSpot may hold it. {table}: the derivative table of object_type. Parameters: portal_id,
-- object_type, after_id, after_part and row_limit (paging), types, window_start, window_end (excluded), push_ids
-- (that created them), ids.
WITH chosen AS (
    SELECT l.*
    FROM hubspot.push_ledger AS l
    WHERE
        l.portal_id = %(portal_id)s
        AND l.hubspot_id IS NOT NULL
        AND l.state IN ('pushed', 'pending', 'failed', 'held')
        AND l.object_type = %(object_type)s
        AND (l.communication_id, l.part) > (%(after_id)s, %(after_part)s)
        AND l.activity_type = any(%(types)s)
        AND l.activity_month >= %(window_start)s
        AND l.activity_month < %(window_end)s
        AND (%(push_ids)s::integer[] IS NULL OR l.created_push_id = any(%(push_ids)s))
        AND (%(ids)s::bigint[] IS NULL OR l.communication_id = any(%(ids)s))
    ORDER BY l.communication_id, l.part
    LIMIT %(row_limit)s
)

SELECT
    c.communication_id,
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
    md5(coalesce(d.hubspot_api_payload, p.payload)::text)::uuid AS hash,
    coalesce(d.hubspot_api_payload, p.payload) AS payload
FROM chosen AS c
LEFT JOIN staging.ic_communication_master AS m
    ON c.communication_id = m.comm_communicationid AND c.sent_hash IS NOT NULL
LEFT JOIN {table} AS d ON m.id = d.ic_communication_master_id AND c.part = 1
LEFT JOIN staging.ic_payload_part AS p ON m.id = p.ic_communication_master_id AND c.part = p.part AND c.part > 1
ORDER BY c.communication_id, c.part;
