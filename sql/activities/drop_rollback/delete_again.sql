-- Communications that an earlier drop had deleted and this one brought back, or deleted once more. When that was is not
-- known any more. Reads the temporary table ic_taken_back (touched.sql). No parameters.
INSERT INTO staging.ic_deleted_communication (comm_communicationid, comm_updateddate, source_drop, source_line)
SELECT
    t.comm_communicationid,
    NULL AS comm_updateddate,
    t.deleted_by,
    t.deleted_line
FROM ic_taken_back AS t
WHERE
    t.deleted_by IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM staging.ic_communication_landing AS l
        WHERE l.comm_communicationid = t.comm_communicationid AND l.is_current
    )
ON CONFLICT (comm_communicationid) DO NOTHING
