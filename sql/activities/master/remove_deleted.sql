-- Communications of a slice that the source has deleted; their derivative rows and people go with them.
-- Parameters: window_start, window_end. Uses ic_communication_master_datetime.
DELETE FROM staging.ic_communication_master AS m
USING staging.ic_deleted_communication AS d
WHERE
    m.comm_communicationid = d.comm_communicationid
    AND m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
