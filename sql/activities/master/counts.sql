-- Rows of a slice by month. Parameters: window_start, window_end. Uses ic_communication_master_datetime.
SELECT
    date_trunc('month', comm_datetime)::date AS comm_month,
    count(*) AS row_count
FROM staging.ic_communication_master
WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
GROUP BY 1
