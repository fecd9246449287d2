-- The field warnings of one drop, in the order of the file. Parameters: drop_key, row_limit (NULL for all).
SELECT
    w.line_number AS line,
    w.comm_communicationid AS communication,
    w.column_name AS "column",
    coalesce(w.raw_value, '') AS raw_value,
    w.reason
FROM staging.ic_field_warning AS w
WHERE w.drop_key = %(drop_key)s
ORDER BY w.line_number, w.column_name, w.reason
LIMIT %(row_limit)s
