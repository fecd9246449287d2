-- The rows that were readable and are rejected all the same, in the order of the file.
-- Parameters: drop_id; {among}, a condition that all of them meet.
SELECT
    line_number,
    fate,
    comm_communicationid
FROM staging.ic_communication_landing
WHERE drop_id = %(drop_id)s AND fate IN ('superseded_in_drop', 'unreadable_update', 'stale') AND {among}
ORDER BY line_number
