-- Communications that the source has deleted by now. Parameters: drop_key. Reads the temporary table ic_deletion, after
-- landing/take_out.sql.
INSERT INTO staging.ic_deleted_communication AS known (comm_communicationid, comm_updateddate, source_drop, source_line)
SELECT
    d.comm_communicationid,
    d.comm_updateddate,
    %(drop_key)s,
    d.line_number
FROM ic_deletion AS d
WHERE
    NOT EXISTS (
        SELECT 1
        FROM staging.ic_communication_landing AS l
        WHERE l.comm_communicationid = d.comm_communicationid AND l.is_current
    )
ON CONFLICT (comm_communicationid) DO UPDATE
    SET
        comm_updateddate = excluded.comm_updateddate,
        source_drop = excluded.source_drop,
        source_line = excluded.source_line,
        deleted_at = now()
    WHERE (excluded.comm_updateddate < known.comm_updateddate) IS NOT TRUE
