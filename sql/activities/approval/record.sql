-- Parameters: approved_by, portal_id, types (text[]), first_month, last_month, include_orphans, overwrite_edits,
-- records, orphans, fingerprint.
INSERT INTO hubspot.approval (
    approved_by, portal_id, types, first_month, last_month, include_orphans, overwrite_edits, records, orphans,
    fingerprint
) VALUES (
    %(approved_by)s, %(portal_id)s, %(types)s, %(first_month)s, %(last_month)s, %(include_orphans)s,
    %(overwrite_edits)s, %(records)s, %(orphans)s, %(fingerprint)s
)
RETURNING approval_id
