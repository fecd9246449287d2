-- Later drops that have rows of a drop's communications, deleted ones included: what became of those was decided beside
-- what the drop had left. In drop order. Parameters: drop_id, drop_key.
WITH touched AS (
    SELECT l.comm_communicationid
    FROM staging.ic_communication_landing AS l
    WHERE l.drop_id = %(drop_id)s AND l.fate IN ('inserted', 'updated')
    UNION
    SELECT r.comm_communicationid
    FROM staging.ic_rejected_row AS r
    WHERE r.drop_key = %(drop_key)s AND r.reason = 'deleted_in_source'
)

SELECT d.drop_key
FROM staging.ic_drop AS d
WHERE
    d.drop_id > %(drop_id)s
    AND (
        EXISTS (
            SELECT 1
            FROM staging.ic_communication_landing AS l
            INNER JOIN touched ON touched.comm_communicationid = l.comm_communicationid
            WHERE l.drop_id = d.drop_id
        )
        OR EXISTS (
            SELECT 1
            FROM staging.ic_rejected_row AS r
            INNER JOIN touched ON touched.comm_communicationid = r.comm_communicationid
            WHERE r.drop_key = d.drop_key AND r.reason = 'deleted_in_source'
        )
    )
ORDER BY d.drop_id ASC
