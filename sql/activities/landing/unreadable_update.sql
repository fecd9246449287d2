-- Rows whose comm_updateddate is there and cannot be read, and would decide between two versions: another row of the
-- drop whose date cannot be read either, or the version that stands, where that has a date. (Beside a dated row of the
-- drop they are superseded; beside an undated version, which is older than any, they are the newer one.)
-- Grain: rows of one drop. Parameters: drop_id. Reads the temporary table incoming_warning.
WITH unread AS (
    SELECT
        l.line_number,
        l.comm_communicationid,
        l.fate
    FROM incoming_warning AS w
    INNER JOIN staging.ic_communication_landing AS l ON l.drop_id = %(drop_id)s AND l.line_number = w.line_number
    WHERE w.column_name = 'comm_updateddate' AND w.reason = 'unreadable'
),

undecided AS (
    SELECT u.line_number
    FROM unread AS u
    WHERE
        u.fate = 'inserted'
        AND (
            EXISTS (
                SELECT 1 FROM unread AS other
                WHERE
                    other.comm_communicationid = u.comm_communicationid
                    AND other.line_number <> u.line_number
                    AND other.fate = 'superseded_in_drop'
            )
            OR EXISTS (
                SELECT 1 FROM staging.ic_communication_landing AS earlier
                WHERE
                    earlier.comm_communicationid = u.comm_communicationid
                    AND earlier.is_current
                    AND earlier.drop_id <> %(drop_id)s
                    AND earlier.comm_updateddate IS NOT NULL
            )
        )
)

UPDATE staging.ic_communication_landing AS l
SET fate = 'unreadable_update', is_current = FALSE
FROM undecided
WHERE l.drop_id = %(drop_id)s AND l.line_number = undecided.line_number
