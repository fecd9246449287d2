-- What the push ledger says of one communication, the portal that was pushed to last first. Looks up by its primary
-- key, one portal after the other. Parameters: communication.
SELECT
    l.portal_id AS portal,
    p.base_url,
    l.object_type,
    l.part,
    l.state,
    l.action,
    l.hubspot_id,
    l.attempts,
    l.last_error,
    l.error_category,
    l.correlation_id,
    l.pushed_at
FROM hubspot.portal AS p
INNER JOIN hubspot.push_ledger AS l ON l.portal_id = p.portal_id AND l.record_key = %(communication)s::text
ORDER BY p.last_pushed_at DESC NULLS LAST, l.portal_id, (l.state = 'removed'), l.object_type, l.part
