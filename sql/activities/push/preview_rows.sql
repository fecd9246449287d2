-- What a push would take up, after the plan and inside its transaction: rows to be sent, and rows of a
-- worker that died or is still at it. Grain: one ledger row; payload and pushed only for updates, whose
-- requests depend on them. {table}: the derivative table of object_type. Parameters: portal_id,
-- object_type, types, window_start, window_end (excluded).
SELECT
    l.communication_id,
    l.part,
    l.action,
    l.hubspot_id,
    l.revision,
    CASE WHEN l.action = 'update' THEN l.pushed END AS pushed,
    CASE WHEN l.action = 'update' THEN coalesce(d.hubspot_api_payload, p.payload) END AS payload,
    CASE WHEN l.action = 'update' THEN l.sent_hash END AS earlier_hash,
    CASE WHEN l.action = 'update' THEN md5(coalesce(d.hubspot_api_payload, p.payload)::text)::uuid END AS hash
FROM hubspot.push_ledger AS l
LEFT JOIN staging.ic_communication_master AS m ON l.communication_id = m.comm_communicationid
LEFT JOIN {table} AS d ON m.id = d.ic_communication_master_id AND l.part = 1
LEFT JOIN staging.ic_payload_part AS p ON m.id = p.ic_communication_master_id AND l.part = p.part AND l.part > 1
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = %(object_type)s
    AND l.state IN ('pending', 'in_flight', 'unknown')
    AND (
        l.activity_type = any(%(types)s)
        OR (l.action = 'remove' AND l.part = 1 AND m.derived_activity_type = any(%(types)s))
    )
    AND (l.action = 'remove' OR (l.activity_month >= %(window_start)s AND l.activity_month < %(window_end)s))
    AND (l.action = 'remove' OR coalesce(d.hubspot_api_payload, p.payload) IS NOT NULL)
    AND (
        l.action <> 'remove'
        OR l.part > 1
        OR EXISTS (
            SELECT 1
            FROM staging.ic_deleted_communication AS gone
            WHERE gone.comm_communicationid = l.communication_id
        )
        OR EXISTS (
            SELECT 1
            FROM hubspot.push_ledger AS successor
            WHERE
                successor.portal_id = l.portal_id
                AND successor.communication_id = l.communication_id
                AND successor.object_type = m.derived_activity_type
                AND successor.object_type <> l.object_type
                AND successor.part = 1
                AND (
                    successor.state IN ('pushed', 'in_flight', 'unknown')
                    OR (successor.state = 'pending' AND successor.activity_type = any(%(types)s))
                )
        )
    )
ORDER BY l.communication_id, l.part;
