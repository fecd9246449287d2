-- Queues the removals that a push has planned. The old record of a source that became another type goes only
-- after the new one stands (the claim sees to that): a crash in between leaves the old one or, until the next push,
-- both; never none, and never both for good, since this queue is committed before the new record is sent. A refused
-- new record leaves the old. What the source deleted has no new record
-- to wait for. A source whose new row never reached the ledger (staging was rolled back) queues nothing. What was never
-- sent is closed at once. Grain: one ledger row. Run after apply_wanted. {deleted}: the flow's view of the deleted.
-- Parameters: portal_id, push_id, latest.
UPDATE hubspot.push_ledger AS l SET
    state = CASE WHEN l.hubspot_id IS NULL THEN 'removed' ELSE 'pending' END,
    action = CASE WHEN l.hubspot_id IS NOT NULL THEN 'remove' END,
    desired_hash = NULL,
    last_error = NULL,
    error_category = NULL,
    correlation_id = NULL,
    attempts = 0,
    updated_at = now()
FROM hubspot.push_plan AS p
WHERE
    p.push_id = %(push_id)s
    AND p.hash IS NULL
    AND l.portal_id = %(portal_id)s
    AND l.object_type = p.object_type
    AND l.record_key = p.record_key
    AND l.part = p.part
    AND l.state IN ('pushed', 'pending', 'failed', 'held')
    AND l.action IS DISTINCT FROM 'remove'
    AND (l.push_id IS NULL OR l.push_id <= %(latest)s)
    AND (
        l.part > 1
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
                AND successor.object_type = p.activity_type -- noqa: RF01
                AND successor.part = 1
                AND successor.state <> 'removed'
        )
    );
