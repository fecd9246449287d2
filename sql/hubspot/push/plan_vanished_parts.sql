-- Further parts that a shorter body no longer needs, into the plan of one push. The first part must be wanted: parts
-- that went with a staging roll-back are left alone. Grain: one part from 2. {first}: the view of the type that the
-- source has now, activity_type; {desired}: that of the parts' object type. Parameters: portal_id, object_type (of the
-- parts), activity_type, window_start, window_end, push_id. Index: push_ledger_part.
INSERT INTO hubspot.push_plan (
    push_id, object_type, record_key, part, activity_type, activity_month, is_held, hash
)
SELECT
    %(push_id)s,
    l.object_type,
    l.record_key,
    l.part,
    %(activity_type)s AS activity_type,
    l.activity_month,
    FALSE AS is_held,
    NULL::uuid AS hash
FROM hubspot.push_ledger AS l
-- LIMIT: a look-up by key for each of a few rows, whatever the planner thinks of the view.
INNER JOIN LATERAL (
    SELECT one.activity_date
    FROM {first} AS one
    WHERE one.record_key = l.record_key AND one.part = 1
    LIMIT 1 -- noqa: AM09
) AS first_part ON TRUE
LEFT JOIN LATERAL (
    SELECT one.part
    FROM {desired} AS one
    WHERE one.record_key = l.record_key AND one.part = l.part
    LIMIT 1 -- noqa: AM09
) AS still ON TRUE
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = %(object_type)s
    AND l.part > 1
    AND l.state <> 'removed'
    AND first_part.activity_date >= %(window_start)s
    AND first_part.activity_date < %(window_end)s
    AND still.part IS NULL;
