-- The rejected rows of one drop: those that want mending first, in the order of the file. Streamed: a drop may have
-- millions. Parameters: drop_key, harmless (text[], reasons that want nothing), all_of_them (boolean, the harmless
-- too), row_limit (NULL for all).
SELECT
    r.line_number AS line,
    r.reason,
    coalesce(r.column_name, '') AS "column",
    r.comm_communicationid AS communication,
    r.raw_row
FROM staging.ic_rejected_row AS r
WHERE
    r.drop_key = %(drop_key)s
    AND (%(all_of_them)s OR NOT r.reason = any(%(harmless)s::text[]))
ORDER BY r.reason = any(%(harmless)s::text[]), r.line_number
LIMIT %(row_limit)s
