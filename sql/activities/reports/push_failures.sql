-- Records that HubSpot refused, by reason. No parameters.
SELECT
    l.object_type,
    coalesce(l.error_category, '') AS category,
    left(l.last_error, 200) AS reason,
    count(*) AS records,
    min(l.record_key::bigint) AS first_communication,
    min(l.correlation_id) AS correlation_id
FROM hubspot.push_ledger AS l
WHERE
    l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
    AND (l.state = 'failed' OR (l.state = 'held' AND l.error_category IS NOT NULL))
GROUP BY 1, 2, 3
ORDER BY 4 DESC
LIMIT 50
