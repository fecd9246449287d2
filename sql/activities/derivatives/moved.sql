-- Rows that stand in a slice of a derivative table and whose master row lies outside it by now.
-- Parameters: window_start, window_end, activity_type; {table}.
SELECT d.ic_communication_master_id
FROM staging.{table} AS d
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
WHERE
    d.activity_date >= %(window_start)s AND d.activity_date < %(window_end)s
    AND m.derived_activity_type = %(activity_type)s
    AND NOT (m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s)
