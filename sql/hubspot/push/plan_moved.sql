-- Records whose source has become another type, into the plan of one push. Grain: one ledger row, part 1, in whatever
-- state: one whose creation is of unknown outcome may turn out to stand. {sources}: the flow's view of what its sources
-- are now. Parameters: portal_id, types (either the old or the new type is among them), push_id.
INSERT INTO hubspot.push_plan (
    push_id, object_type, record_key, part, activity_type, activity_month, is_held, hash
)
SELECT
    %(push_id)s,
    l.object_type,
    l.record_key,
    l.part,
    s.object_type AS activity_type,
    l.activity_month,
    FALSE AS is_held,
    NULL::uuid AS hash
FROM hubspot.push_ledger AS l
INNER JOIN {sources} AS s ON l.record_key = s.record_key
WHERE
    l.portal_id = %(portal_id)s
    AND l.part = 1
    AND l.state <> 'removed'
    AND l.object_type <> s.object_type
    AND (l.object_type = any(%(types)s) OR s.object_type = any(%(types)s));
