-- Communications of a window by activity type. Parameters: window_start, window_end. Uses
-- ic_communication_master_datetime.
SELECT
    derived_activity_type,
    count(*) AS communications
FROM staging.ic_communication_master
WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
GROUP BY 1
