-- A meeting that ended before it began is given an hour, and a call of more than a day no duration; the source row
-- keeps a warning. Parameters: window_start, window_end, activity_type (calls or meetings).
INSERT INTO staging.ic_field_warning (
    drop_key, line_number, comm_communicationid, column_name, raw_value, reason
)
SELECT
    m.source_drop,
    m.source_line,
    m.comm_communicationid,
    'comm_todatetime' AS column_name,
    m.comm_todatetime::text AS raw_value,
    CASE m.derived_activity_type WHEN 'meetings' THEN 'end_before_start' ELSE 'over_24_hours' END AS reason
FROM staging.v_ic_communication_normalised AS m
WHERE
    m.derived_activity_type = %(activity_type)s
    AND m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
    AND (
        (m.derived_activity_type = 'meetings' AND m.end_at < m.start_at)
        OR (m.derived_activity_type = 'calls' AND m.end_at - m.start_at > interval '24 hours')
    )
ON CONFLICT DO NOTHING
