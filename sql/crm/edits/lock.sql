-- Locks a field as it stands, until a time, whatever lock it had. Parameters: company, field, until, changed_by, cause,
-- now (NULL: the database's clock).
INSERT INTO crm.field_lock AS f (company, field, locked_until, changed_by, cause, changed_at)
VALUES (
    %(company)s, %(field)s, %(until)s, %(changed_by)s, %(cause)s, coalesce(%(now)s::timestamptz, statement_timestamp())
)
ON CONFLICT (company, field) DO UPDATE SET
    locked_until = excluded.locked_until,
    changed_by = excluded.changed_by,
    cause = excluded.cause,
    changed_at = excluded.changed_at
