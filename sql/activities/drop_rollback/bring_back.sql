-- The versions that stood before, unless another stands or an earlier drop had deleted the communication. Reads the
-- temporary table ic_taken_back (touched.sql). No parameters.
UPDATE staging.ic_communication_landing AS l
SET is_current = TRUE
FROM ic_taken_back AS t
WHERE
    l.drop_id = t.drop_id
    AND l.line_number = t.line_number
    AND t.deleted_by IS NULL
    AND NOT EXISTS (
        SELECT 1 FROM staging.ic_communication_landing AS other
        WHERE other.comm_communicationid = l.comm_communicationid AND other.is_current
    )
