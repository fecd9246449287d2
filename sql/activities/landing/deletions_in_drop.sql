-- The newest row of each communication that a drop gives as deleted, by comm_updateddate and then by position, unless
-- the drop has it newer still: then it was taken back. Grain: one communication. Parameters: drop_id. Reads the
-- temporary table incoming_deletion.
SELECT DISTINCT ON (d.comm_communicationid)
    d.comm_communicationid,
    d.comm_updateddate,
    d.line_number
FROM incoming_deletion AS d
WHERE
    NOT EXISTS (
        SELECT 1
        FROM staging.ic_communication_landing AS l
        WHERE
            l.drop_id = %(drop_id)s
            AND l.comm_communicationid = d.comm_communicationid
            AND (coalesce(l.comm_updateddate, '-infinity'), l.line_number)
            > (coalesce(d.comm_updateddate, '-infinity'), d.line_number)
    )
ORDER BY d.comm_communicationid ASC, d.comm_updateddate DESC NULLS LAST, d.line_number DESC
