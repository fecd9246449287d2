-- Parameters: approved_by, portal_id, types (text[]), first_month, last_month, include_orphans, records, orphans,
-- fingerprint.
INSERT INTO hubspot.approval (
    approved_by, portal_id, types, first_month, last_month, include_orphans, records, orphans, fingerprint
) VALUES (
    %(approved_by)s, %(portal_id)s, %(types)s, %(first_month)s, %(last_month)s, %(include_orphans)s, %(records)s,
    %(orphans)s, %(fingerprint)s
)
RETURNING approval_id
