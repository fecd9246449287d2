-- Queues the removal of records whose communication has become another type. The old record goes only after
-- the new one stands (the claim sees to that): a crash in between leaves the old one or, until the next
-- push, both; never none, and never both for good, since this queue is committed before the new record is
-- sent. A refused new record leaves the old. A communication that is missing from the master, or whose new
-- row never reached the ledger (staging was rolled back), queues nothing. What was never sent is closed at
-- once. Grain: one ledger row, part 1. Run after plan_activities. Parameters: portal_id, types (either the
-- old or the new type is among them), push_id. Index: the primary keys.
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
FROM staging.ic_communication_master AS m
WHERE
    l.portal_id = %(portal_id)s
    AND l.part = 1
    AND l.communication_id = m.comm_communicationid
    AND l.object_type <> m.derived_activity_type
    AND (l.object_type = any(%(types)s) OR m.derived_activity_type = any(%(types)s))
    AND l.state IN ('pushed', 'pending', 'failed', 'held')
    AND l.action IS DISTINCT FROM 'remove'
    AND EXISTS (
        SELECT 1
        FROM hubspot.push_ledger AS successor
        WHERE
            successor.portal_id = l.portal_id
            AND successor.communication_id = l.communication_id
            AND successor.object_type = m.derived_activity_type -- noqa: RF01
            AND successor.part = 1
            AND successor.state <> 'removed'
    );
