-- Records that stand without an association, since HubSpot does not have the record it leads to. No parameters.
SELECT
    l.object_type,
    dropped.link ->> 0 AS association,
    count(*) AS records,
    count(DISTINCT dropped.link ->> 1) AS missing_records,
    min(dropped.link ->> 1) AS first_missing
FROM hubspot.push_ledger AS l
CROSS JOIN LATERAL jsonb_array_elements(l.pushed -> 'dropped') AS dropped (link)
WHERE
    l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
    AND l.state = 'pushed'
GROUP BY 1, 2
ORDER BY 3 DESC
