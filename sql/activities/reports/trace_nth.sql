-- The line on which the n-th row of a drop starts, and how many rows it has.
-- Parameters: drop_id, drop_key, nth (from 1).
WITH starts AS (
    SELECT l.line_number
    FROM staging.ic_communication_landing AS l
    WHERE l.drop_id = %(drop_id)s
    UNION
    SELECT r.line_number
    FROM staging.ic_rejected_row AS r
    WHERE r.drop_key = %(drop_key)s
)

SELECT
    (
        SELECT nth.line_number FROM starts AS nth
        ORDER BY nth.line_number
        LIMIT 1 OFFSET %(nth)s::bigint - 1
    ) AS line_number,
    (SELECT count(*) FROM starts) AS row_count
