-- The ledger of the portal that was pushed to last, by object type and state. No parameters.
SELECT
    l.object_type,
    l.state,
    count(*) AS records
FROM hubspot.push_ledger AS l
WHERE l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
GROUP BY 1, 2
ORDER BY 1, 2
