-- What stands, or may stand, in HubSpot of sources that are deleted for good, into the plan of one push, further parts
-- included. What is missing among the sources for another reason (staging was rolled back) plans nothing. Grain: one
-- ledger row. Run after plan_moved. {deleted}: the flow's view of the deleted. Parameters: portal_id, types, push_id.
-- Index: the primary key.
INSERT INTO hubspot.push_plan (
    push_id, object_type, record_key, part, activity_type, activity_month, is_held, hash
)
SELECT
    %(push_id)s,
    l.object_type,
    l.record_key,
    l.part,
    l.activity_type,
    l.activity_month,
    FALSE AS is_held,
    NULL::uuid AS hash
FROM {deleted} AS gone
INNER JOIN hubspot.push_ledger AS l
    ON l.portal_id = %(portal_id)s AND gone.record_key = l.record_key
WHERE
    l.state <> 'removed'
    AND l.activity_type = any(%(types)s);
