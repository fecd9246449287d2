-- The rows that were readable and are rejected all the same, in the order of the file.
-- Parameters: drop_id. Reads the drop by its primary key.
SELECT
    line_number,
    fate,
    comm_communicationid
FROM staging.ic_communication_landing
WHERE drop_id = %(drop_id)s AND fate IN ('superseded_in_drop', 'stale')
ORDER BY line_number
