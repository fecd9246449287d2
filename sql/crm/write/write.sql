-- Brings columns of one flow to what it wants them to be, for all companies of {desired} at once: a field that
-- a person has locked stays, columns that differ are written, and each of them has its row in the change log. The rows
-- are locked already (write/lock.sql), in a statement before this one: what that waited for is seen here.
-- {desired}: company, cause, and the columns; {wanted}, {judged}, {assigned}, {differs}, {held}, {changes}:
-- composed by ic_assets/crm/write.py. Parameters: flow, fields, now (NULL: the database's clock).
WITH clock AS (
    SELECT coalesce(%(now)s::timestamptz, statement_timestamp()) AS instant
),

desired AS MATERIALIZED (
    SELECT
        d.company,
        d.cause,
        {wanted}
    FROM {desired} AS d
),

locked AS MATERIALIZED (
    SELECT
        l.company,
        array_agg(l.field) AS fields
    FROM crm.field_lock AS l
    CROSS JOIN clock
    WHERE
        l.locked_until > clock.instant
        AND l.field = any(%(fields)s)
        AND l.company IN (SELECT d.company FROM desired AS d)
    GROUP BY l.company
),

judged AS MATERIALIZED (
    SELECT
        p.company,
        d.cause,
        clock.instant,
        {judged}
    FROM desired AS d
    INNER JOIN crm.company_profile_meta_data AS p ON d.company = p.company
    CROSS JOIN clock
    LEFT JOIN locked AS l ON d.company = l.company
),

written AS (
    UPDATE crm.company_profile_meta_data AS p
    SET updated_at = j.instant{assigned}
    FROM judged AS j
    WHERE p.company = j.company AND ({differs})
    RETURNING p.company
),

logged AS (
    INSERT INTO crm.company_change_log (company, field, old_value, new_value, changed_by, cause, changed_at)
    SELECT
        j.company,
        c.field,
        c.old_value,
        c.new_value,
        %(flow)s || ':' || c.rule,
        j.cause,
        j.instant
    FROM judged AS j
    CROSS JOIN LATERAL {changes} AS c (place, field, old_value, new_value, rule, is_changed)
    WHERE c.is_changed
    ORDER BY j.company COLLATE "C", c.place
    RETURNING 1
)

SELECT
    (SELECT count(*) FROM written) AS companies,
    (SELECT count(*) FROM logged) AS fields,
    (SELECT coalesce(sum({held}), 0)::bigint FROM judged AS j) AS held
