-- Queues the removal of continuation notes that a shorter body no longer needs. The first part must stand
-- in its table with a payload: parts that went with a staging roll-back are left alone. Grain: one part
-- from 2. {table}: the derivative table of object_type. Parameters: portal_id, object_type (the type that
-- the communication has now), window_start, window_end, push_id.
UPDATE hubspot.push_ledger AS l SET
    state = CASE WHEN l.hubspot_id IS NULL THEN 'removed' ELSE 'pending' END,
    action = CASE WHEN l.hubspot_id IS NOT NULL THEN 'remove' END,
    desired_hash = NULL,
    last_error = NULL,
    attempts = 0,
    push_id = %(push_id)s,
    updated_at = now()
FROM staging.ic_communication_master AS m
INNER JOIN {table} AS d ON m.id = d.ic_communication_master_id AND d.hubspot_api_payload IS NOT NULL
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = 'notes'
    AND l.part > 1
    AND l.state IN ('pushed', 'pending', 'failed', 'held')
    AND l.action IS DISTINCT FROM 'remove'
    AND l.communication_id = m.comm_communicationid
    AND m.derived_activity_type = %(object_type)s
    AND d.activity_date >= %(window_start)s
    AND d.activity_date < %(window_end)s
    AND NOT EXISTS (
        SELECT 1
        FROM staging.ic_payload_part AS p
        WHERE
            p.ic_communication_master_id = m.id -- noqa: RF01
            AND p.part = l.part
            AND p.activity_type = %(object_type)s
    );
