-- The ledger of one portal within the run's types and months, counted. Grain: one object type, state and
-- action. Parameters: portal_id, types, window_start, window_end (excluded).
SELECT
    object_type,
    state,
    coalesce(action, '') AS action,
    count(*) AS records
FROM hubspot.push_ledger
WHERE
    portal_id = %(portal_id)s
    AND activity_type = any(%(types)s)
    AND activity_month >= %(window_start)s
    AND activity_month < %(window_end)s
GROUP BY object_type, state, action;
