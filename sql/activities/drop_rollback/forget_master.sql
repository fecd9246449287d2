-- Communications of which no version stands any more; their derivative rows and people go with them. Reads the
-- temporary table ic_taken_back (touched.sql). No parameters.
DELETE FROM staging.ic_communication_master AS m
USING ic_taken_back AS t
WHERE
    m.comm_communicationid = t.comm_communicationid
    AND NOT EXISTS (
        SELECT 1 FROM staging.ic_communication_landing AS l
        WHERE l.comm_communicationid = t.comm_communicationid AND l.is_current
    )
