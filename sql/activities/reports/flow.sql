-- Where each communication of the master stands: ready for HubSpot, held for a person to decide, failed, or waiting for
-- its derivative; and whether a record of it is in HubSpot, in the portal that was pushed to last. One pass over the
-- master. Grain: activity type, state, in_hubspot. No parameters.
SELECT
    m.derived_activity_type AS activity_type,
    CASE
        WHEN m.staging_status = 'pending' THEN 'waiting'
        WHEN m.staging_status = 'error' OR l.state = 'failed' THEN 'failed'
        WHEN l.state = 'held' AND l.error_category IS NOT NULL THEN 'held'
        WHEN m.is_orphaned AND coalesce(l.state, 'held') IN ('held', 'removed') THEN 'held'
        ELSE 'ready'
    END AS state,
    coalesce(l.hubspot_id IS NOT NULL AND l.state <> 'removed', FALSE) AS in_hubspot,
    count(*) AS communications
FROM staging.ic_communication_master AS m
LEFT JOIN hubspot.push_ledger AS l
    ON
        l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
        AND l.record_key = m.comm_communicationid::text
        AND l.object_type = m.derived_activity_type
        AND l.part = 1
GROUP BY 1, 2, 3
