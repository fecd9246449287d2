-- Records whose communication has become another type, into the plan of one push. Grain: one ledger row, part 1, in
-- whatever state: one whose creation is of unknown outcome may turn out to stand. Parameters: portal_id, types
-- (either the old or the new type is among them), push_id. Index: the primary keys.
INSERT INTO hubspot.push_plan (
    push_id, object_type, communication_id, part, activity_type, activity_month, is_held, hash
)
SELECT
    %(push_id)s,
    l.object_type,
    l.communication_id,
    l.part,
    m.derived_activity_type,
    l.activity_month,
    FALSE AS is_held,
    NULL::uuid AS hash
FROM hubspot.push_ledger AS l
INNER JOIN staging.ic_communication_master AS m ON l.communication_id = m.comm_communicationid
WHERE
    l.portal_id = %(portal_id)s
    AND l.part = 1
    AND l.state <> 'removed'
    AND l.object_type <> m.derived_activity_type
    AND (l.object_type = any(%(types)s) OR m.derived_activity_type = any(%(types)s));
