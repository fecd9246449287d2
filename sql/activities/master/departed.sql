-- Communications that stand in a slice of the master and whose current version lies outside it.
-- Parameters: window_start, window_end. Uses ic_communication_master_datetime.
SELECT m.comm_communicationid
FROM staging.ic_communication_master AS m
INNER JOIN staging.ic_communication_landing AS l
    ON l.comm_communicationid = m.comm_communicationid AND l.is_current
WHERE
    m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
    AND NOT (l.comm_datetime >= %(window_start)s AND l.comm_datetime < %(window_end)s)
