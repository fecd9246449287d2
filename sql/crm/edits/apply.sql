-- Takes people's edits over, as ic_assets/crm/person_edit.py judged them: values, log rows, locks, and how far the
-- edits have come. {assigned}: the fields and lock columns, from e.fields (name to text) and e.locks (name to time).
-- Parameters: now; fields: company, fields, locks; log, locks, edits: the rows of the three tables, as JSON.
WITH changed AS MATERIALIZED (
    SELECT
        c.company,
        c.fields,
        c.locks
    FROM jsonb_to_recordset(%(fields)s) AS c (company text, fields jsonb, locks jsonb)
),

written AS (
    UPDATE crm.company_profile_meta_data AS p
    SET updated_at = %(now)s{assigned}
    FROM changed AS e
    WHERE p.company = e.company
),

logged AS (
    INSERT INTO crm.company_change_log (company, field, old_value, new_value, changed_by, cause, changed_at)
    SELECT
        l.company,
        l.field,
        l.old_value,
        l.new_value,
        l.changed_by,
        l.cause,
        %(now)s
    FROM
        jsonb_to_recordset(%(log)s)
            AS l (
                place integer, company text, field text, old_value text, new_value text, changed_by text, cause text
            )
    ORDER BY l.place
),

locked AS (
    INSERT INTO crm.field_lock AS f (company, field, locked_until, changed_by, cause, changed_at)
    SELECT
        l.company,
        l.field,
        l.locked_until,
        l.changed_by,
        l.cause,
        %(now)s
    FROM
        jsonb_to_recordset(%(locks)s)
            AS l (
                company text, field text, locked_until timestamptz, changed_by text, cause text
            )
    ON CONFLICT (company, field) DO UPDATE SET
        locked_until = greatest(f.locked_until, excluded.locked_until),
        changed_by = excluded.changed_by,
        cause = excluded.cause,
        changed_at = excluded.changed_at
)

INSERT INTO crm.field_edit AS f (company, field, occurred_at, turn, cause, is_taken)
SELECT
    e.company,
    e.field,
    e.occurred_at,
    e.turn,
    e.cause,
    e.is_taken
FROM
    jsonb_to_recordset(%(edits)s)
        AS e (company text, field text, occurred_at timestamptz, turn text, cause text, is_taken boolean)
ON CONFLICT (company, field) DO UPDATE SET
    occurred_at = excluded.occurred_at,
    turn = excluded.turn,
    is_taken = excluded.is_taken,
    cause = excluded.cause
