-- One row of a drop: its fate, its values where it could be read, its text and reason where it was rejected.
-- Parameters: drop_id, drop_key, line; {columns} of the landing.
SELECT
    l.fate,
    coalesce(l.comm_communicationid, r.comm_communicationid) AS communication,
    r.reason,
    r.column_name,
    r.raw_row,
    {columns}
FROM (
    SELECT
        %(drop_id)s::integer AS drop_id,
        %(drop_key)s::text AS drop_key,
        %(line)s::bigint AS line_number
) AS asked
LEFT JOIN staging.ic_communication_landing AS l
    ON l.drop_id = asked.drop_id AND l.line_number = asked.line_number
LEFT JOIN staging.ic_rejected_row AS r
    ON r.drop_key = asked.drop_key AND r.line_number = asked.line_number
