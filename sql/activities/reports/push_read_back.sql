-- HubSpot's own count of our records beside the ledger's, as they were read back last, by type. No parameters.
SELECT DISTINCT ON (counted.key)
    counted.key AS object_type,
    (counted.value ->> 'ledger')::bigint AS in_the_ledger,
    (counted.value ->> 'hubspot')::bigint AS in_hubspot,
    r.push_id AS after_push
FROM hubspot.push_run AS r
CROSS JOIN LATERAL jsonb_each(r.counts -> 'read_back') AS counted
WHERE r.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
ORDER BY counted.key ASC, r.push_id DESC
