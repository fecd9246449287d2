-- Gives a field back to its flow; edits made before now lock nothing, whenever they come. Answers whether it was
-- locked. Parameters: company, field, now (NULL: the database's clock).
WITH ended AS (
    DELETE FROM crm.field_lock AS f
    WHERE f.company = %(company)s AND f.field = %(field)s
    RETURNING 1
),

noted AS (
    INSERT INTO crm.field_edit AS e (company, field, released_at)
    VALUES (%(company)s, %(field)s, coalesce(%(now)s::timestamptz, statement_timestamp()))
    ON CONFLICT (company, field) DO UPDATE SET released_at = greatest(e.released_at, excluded.released_at)
)

SELECT count(*) > 0 AS was_locked FROM ended
