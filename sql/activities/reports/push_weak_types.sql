-- Types whose communication id HubSpot does not keep unique in the portal that was pushed to last. No parameters.
SELECT p.object_type
FROM hubspot.portal_property AS p
WHERE
    p.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
    AND NOT (p.is_unique AND p.is_enforced)
ORDER BY 1
