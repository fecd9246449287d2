-- Removes what an attempt left that loaded nothing: it is made anew. Parameters: drop_key.
WITH nothing AS (
    DELETE FROM staging.ic_drop
    WHERE drop_key = %(drop_key)s AND (state = 'refused' OR rows_in = rejected)
    RETURNING drop_id, drop_key
),

rejects AS (
    DELETE FROM staging.ic_rejected_row AS r
    USING nothing
    WHERE r.drop_key = nothing.drop_key
),

warnings AS (
    DELETE FROM staging.ic_field_warning AS w
    USING nothing
    WHERE w.drop_key = nothing.drop_key
)

DELETE FROM staging.ic_communication_landing AS l
USING nothing
WHERE l.drop_id = nothing.drop_id
