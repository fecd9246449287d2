-- Rows of a slice whose communication is of another type by now. Parameters: window_start, window_end,
-- activity_type; {table}.
DELETE FROM staging.{table} AS d
USING staging.ic_communication_master AS m
WHERE
    m.id = d.ic_communication_master_id
    AND m.derived_activity_type <> %(activity_type)s
    AND (
        (d.activity_date >= %(window_start)s AND d.activity_date < %(window_end)s)
        OR (m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s)
    )
