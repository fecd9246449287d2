-- Each field of a company: what stands in it, or stood at a time, and what the change log and the locks say of it.
-- {fields}: place, name, text and end of the lock that is shown, of each field.
-- Parameters: company, at (NULL: now), now (NULL: the database's clock).
SELECT
    f.field,
    CASE WHEN later.id IS NULL THEN f.value ELSE later.old_value END AS value,
    l.changed_by,
    l.changed_at,
    l.cause,
    CASE WHEN %(at)s::timestamptz IS NULL THEN greatest(k.locked_until, f.shown_until) END AS locked_until,
    k.changed_by AS locked_by,
    k.cause AS locked_for
FROM crm.company_profile_meta_data AS p
CROSS JOIN LATERAL {fields} AS f (place, field, value, shown_until)
LEFT JOIN LATERAL (
    SELECT
        g.changed_by,
        g.changed_at,
        g.cause
    FROM crm.company_change_log AS g
    WHERE
        g.company = p.company
        AND g.field = f.field
        AND (%(at)s::timestamptz IS NULL OR g.changed_at <= %(at)s::timestamptz)
    ORDER BY g.id DESC
    LIMIT 1
) AS l ON TRUE
LEFT JOIN LATERAL (
    SELECT
        g.id,
        g.old_value
    FROM crm.company_change_log AS g
    WHERE g.company = p.company AND g.field = f.field AND g.changed_at > %(at)s::timestamptz
    ORDER BY g.id
    LIMIT 1
) AS later ON TRUE
LEFT JOIN crm.field_lock AS k
    ON p.company = k.company AND f.field = k.field AND k.locked_until > coalesce(%(now)s::timestamptz, now())
WHERE p.company = %(company)s
ORDER BY f.place
