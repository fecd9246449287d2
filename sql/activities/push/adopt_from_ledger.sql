-- Gives derivative rows their push columns from the ledger of the portal that was pushed to last: after
-- they were re-created or rewritten, and when another portal becomes the current one. A row without a valid
-- payload keeps its failure. Costs nothing while nothing was ever pushed. {table}: staging.ic_<type>.
-- Parameters: object_type, window_start, window_end (activity_date, end excluded).
WITH found AS (
    SELECT
        d.id,
        CASE WHEN l.state <> 'removed' THEN l.hubspot_id END AS hubspot_id,
        CASE WHEN l.state <> 'removed' THEN l.pushed_at END AS pushed_at,
        CASE
            WHEN l.state = 'removed' THEN 'removed'
            WHEN l.state IN ('in_flight', 'unknown') THEN 'in_flight'
            WHEN l.state = 'pushed' AND l.pushed_hash = md5(d.hubspot_api_payload::text)::uuid THEN 'pushed'
            WHEN l.state IN ('failed', 'held') AND l.desired_hash = md5(d.hubspot_api_payload::text)::uuid THEN l.state
            WHEN m.is_orphaned AND l.hubspot_id IS NULL THEN 'held'
            ELSE 'pending'
        END AS status,
        CASE
            WHEN l.state IN ('failed', 'held') AND l.desired_hash = md5(d.hubspot_api_payload::text)::uuid
                THEN l.last_error
        END AS error_message
    FROM {table} AS d
    INNER JOIN staging.ic_communication_master AS m ON d.ic_communication_master_id = m.id
    LEFT JOIN hubspot.push_ledger AS l
        ON
            l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
            AND l.record_key = m.comm_communicationid::text
            AND l.object_type = %(object_type)s
            AND l.part = 1
    WHERE
        EXISTS (SELECT 1 FROM hubspot.v_current_portal)
        AND d.activity_date >= %(window_start)s
        AND d.activity_date < %(window_end)s
        AND d.hubspot_api_payload IS NOT NULL
        AND (
            d.api_push_status <> 'failed'
            OR EXISTS (
                SELECT 1
                FROM hubspot.push_ledger AS refused
                WHERE
                    refused.record_key = m.comm_communicationid::text
                    AND refused.object_type = %(object_type)s
                    AND refused.part = 1
                    AND refused.desired_hash = md5(d.hubspot_api_payload::text)::uuid
            )
        )
)

UPDATE {table} AS d SET
    api_push_status = found.status,
    hubspot_engagement_id = found.hubspot_id,
    pushed_at = found.pushed_at,
    error_message = found.error_message,
    last_updated = now()
FROM found
WHERE
    d.id = found.id
    AND (d.api_push_status, d.hubspot_engagement_id, d.pushed_at, d.error_message)
    IS DISTINCT FROM (found.status, found.hubspot_id, found.pushed_at, found.error_message);
