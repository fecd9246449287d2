-- Warnings about the rows that were written; those about rejected and unchanged rows are not kept.
-- Parameters: drop_id, drop_key. Reads the temporary table incoming_warning.
INSERT INTO staging.ic_field_warning (
    drop_key, line_number, comm_communicationid, column_name, raw_value, reason
)
SELECT
    %(drop_key)s,
    w.line_number,
    w.comm_communicationid,
    w.column_name,
    w.raw_value,
    w.reason
FROM incoming_warning AS w
INNER JOIN staging.ic_communication_landing AS l
    ON l.drop_id = %(drop_id)s AND l.line_number = w.line_number
WHERE
    l.fate IN ('inserted', 'updated')
    OR (
        l.fate = 'joined'
        AND EXISTS (
            SELECT 1
            FROM staging.ic_communication_landing AS of_first
            WHERE
                of_first.drop_id = l.drop_id
                AND of_first.comm_communicationid = l.comm_communicationid
                AND of_first.fate IN ('inserted', 'updated')
        )
    )
