-- Queues the removal of what stands in HubSpot of communications that the source has deleted, the notes that continue
-- a body included. What was never sent is closed at once. A communication that is missing from the master for another
-- reason (staging was rolled back) queues nothing. Grain: one ledger row. Run after plan_activities. Parameters:
-- portal_id, types, push_id. Index: the primary keys.
UPDATE hubspot.push_ledger AS l SET
    state = CASE WHEN l.hubspot_id IS NULL THEN 'removed' ELSE 'pending' END,
    action = CASE WHEN l.hubspot_id IS NOT NULL THEN 'remove' END,
    desired_hash = NULL,
    last_error = NULL,
    error_category = NULL,
    correlation_id = NULL,
    attempts = 0,
    push_id = %(push_id)s,
    updated_at = now()
FROM staging.ic_deleted_communication AS gone
WHERE
    l.portal_id = %(portal_id)s
    AND l.communication_id = gone.comm_communicationid
    AND l.activity_type = any(%(types)s)
    AND l.state IN ('pushed', 'pending', 'failed', 'held')
    AND l.action IS DISTINCT FROM 'remove'
    AND NOT EXISTS (
        SELECT 1
        FROM staging.ic_communication_master AS m
        WHERE m.comm_communicationid = gone.comm_communicationid -- noqa: RF01
    );
