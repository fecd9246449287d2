-- Every row of every drop that carried a communication, in the order in which they came. Finds the landed ones by
-- ic_communication_landing_communication; passes over the rejected ones. Parameters: communication.
WITH carried AS (
    SELECT
        l.drop_id,
        l.line_number,
        l.fate,
        NULL AS column_name
    FROM staging.ic_communication_landing AS l
    WHERE l.comm_communicationid = %(communication)s
    UNION ALL
    SELECT
        d.drop_id,
        r.line_number,
        r.reason AS fate,
        r.column_name
    FROM staging.ic_rejected_row AS r
    INNER JOIN staging.ic_drop AS d ON d.drop_key = r.drop_key
    WHERE r.comm_communicationid = %(communication)s AND r.reason NOT IN ('superseded_in_drop', 'stale')
)

SELECT
    d.drop_key AS drop,
    c.line_number AS line,
    c.fate,
    c.column_name
FROM carried AS c
INNER JOIN staging.ic_drop AS d ON d.drop_id = c.drop_id
ORDER BY d.drop_id, c.line_number
