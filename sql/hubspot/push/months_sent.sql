-- Months of which one push had records in hand and sent them. Grain: activity type and month. Parameters: portal_id,
-- push_id.
SELECT
    l.activity_type,
    l.activity_month,
    count(*) AS records
FROM hubspot.push_ledger AS l
WHERE
    l.portal_id = %(portal_id)s
    AND l.push_id = %(push_id)s
    AND l.state IN ('pushed', 'failed', 'removed', 'unknown')
GROUP BY l.activity_type, l.activity_month
ORDER BY l.activity_type, l.activity_month;
