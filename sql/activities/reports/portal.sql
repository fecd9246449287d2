-- The portal that was pushed to last: none or one row. No parameters.
SELECT
    p.portal_id,
    p.base_url,
    p.account_type
FROM hubspot.portal AS p
WHERE p.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
