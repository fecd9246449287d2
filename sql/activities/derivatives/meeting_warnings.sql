-- A meeting that ended before it began is given an hour; the source row keeps a warning.
-- Parameters: window_start, window_end.
INSERT INTO staging.ic_field_warning (
    drop_key, line_number, comm_communicationid, column_name, raw_value, reason
)
SELECT
    m.source_drop,
    m.source_line,
    m.comm_communicationid,
    'comm_todatetime' AS column_name,
    m.comm_todatetime::text AS raw_value,
    'end_before_start' AS reason
FROM staging.ic_communication_master AS m
WHERE
    m.derived_activity_type = 'meetings'
    AND m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
    AND m.comm_todatetime < m.comm_datetime
ON CONFLICT DO NOTHING
