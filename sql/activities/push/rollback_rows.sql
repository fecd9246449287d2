-- Records of one portal that a roll-back would take back: they stand in HubSpot, nobody has them in hand,
-- and every given criterion holds (NULL: not given). Grain: one ledger row. Parameters: portal_id,
-- object_type, after_id, after_part and row_limit (paging), types, month_start, month_end (excluded),
-- push_ids (that created them), ids.
SELECT
    l.communication_id,
    l.object_type,
    l.part,
    l.activity_type,
    'remove' AS action,
    l.hubspot_id,
    l.revision,
    l.attempts,
    l.pushed,
    l.pushed_hash AS hash,
    NULL::jsonb AS payload
FROM hubspot.push_ledger AS l
WHERE
    l.portal_id = %(portal_id)s
    AND l.hubspot_id IS NOT NULL
    AND l.state IN ('pushed', 'pending', 'failed', 'held')
    AND l.object_type = %(object_type)s
    AND (l.communication_id, l.part) > (%(after_id)s, %(after_part)s)
    AND l.activity_type = any(%(types)s)
    AND l.activity_month >= %(month_start)s
    AND l.activity_month < %(month_end)s
    AND (%(push_ids)s::integer[] IS NULL OR l.created_push_id = any(%(push_ids)s))
    AND (%(ids)s::bigint[] IS NULL OR l.communication_id = any(%(ids)s))
ORDER BY l.communication_id, l.part
LIMIT %(row_limit)s;
