-- A few communications whose landed version the master does not show. No parameters.
SELECT
    coalesce(l.comm_communicationid, m.comm_communicationid) AS comm_communicationid,
    l.comm_communicationid IS NULL AS unlanded
FROM (
    SELECT
        landed.comm_communicationid,
        landed.line_number,
        d.drop_key
    FROM staging.ic_communication_landing AS landed
    INNER JOIN staging.ic_drop AS d ON d.drop_id = landed.drop_id
    WHERE landed.is_current
) AS l
FULL JOIN staging.ic_communication_master AS m ON m.comm_communicationid = l.comm_communicationid
WHERE
    l.comm_communicationid IS NULL OR m.comm_communicationid IS NULL
    OR l.drop_key <> m.source_drop OR l.line_number <> m.source_line
ORDER BY 1
LIMIT 10
