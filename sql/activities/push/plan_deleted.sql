-- What stands, or may stand, in HubSpot of communications that the source has deleted, into the plan of one push, the
-- notes that continue a body included. A communication that is missing from the master for another reason (staging was
-- rolled back) plans nothing. Grain: one ledger row. Run after plan_moved. Parameters: portal_id, types, push_id.
-- Index: the primary keys.
INSERT INTO hubspot.push_plan (
    push_id, object_type, communication_id, part, activity_type, activity_month, is_held, hash
)
SELECT
    %(push_id)s,
    l.object_type,
    l.communication_id,
    l.part,
    l.activity_type,
    l.activity_month,
    FALSE AS is_held,
    NULL::uuid AS hash
FROM staging.ic_deleted_communication AS gone
INNER JOIN hubspot.push_ledger AS l
    ON l.portal_id = %(portal_id)s AND gone.comm_communicationid = l.communication_id
LEFT JOIN staging.ic_communication_master AS m ON gone.comm_communicationid = m.comm_communicationid
WHERE
    l.state <> 'removed'
    AND l.activity_type = any(%(types)s)
    AND m.id IS NULL;
