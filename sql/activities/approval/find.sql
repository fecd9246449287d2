-- The newest approval of exactly this data for this portal. Parameters: portal_id, fingerprint. Uses
-- approval_fingerprint.
SELECT
    approval_id,
    approved_by,
    approved_at
FROM hubspot.approval
WHERE portal_id = %(portal_id)s AND fingerprint = %(fingerprint)s
ORDER BY approval_id DESC
LIMIT 1
