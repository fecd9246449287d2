-- The push columns of derivative rows whose ledger rows were just settled, in the settling transaction. They speak of
-- the portal that was pushed to last. {table}: staging.ic_<type>. Parameters: portal_id, object_type, record_keys.
-- Indexes: the keys.
UPDATE {table} AS d SET
    api_push_status = CASE
        WHEN l.state = 'unknown' THEN 'in_flight'
        -- Corrected while it was under way: what was declined is not what stands here now.
        WHEN
            l.state IN ('failed', 'held') AND md5(d.hubspot_api_payload::text)::uuid IS DISTINCT FROM l.desired_hash
            THEN 'pending'
        ELSE l.state
    END,
    hubspot_engagement_id = CASE WHEN l.state <> 'removed' THEN l.hubspot_id END,
    pushed_at = CASE WHEN l.state <> 'removed' THEN l.pushed_at END,
    error_message = l.last_error,
    last_updated = now()
FROM hubspot.push_ledger AS l
INNER JOIN staging.ic_communication_master AS m ON l.record_key::bigint = m.comm_communicationid
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = %(object_type)s
    AND l.part = 1
    AND l.record_key = any(%(record_keys)s)
    AND d.ic_communication_master_id = m.id
    AND %(portal_id)s = (SELECT c.portal_id FROM hubspot.v_current_portal AS c);
