-- Communications of one type by month without a derivative row, and derivative rows whose communication is of another
-- type. Grain: month. Parameters: window_start, window_end, activity_type; {table}.
-- Uses ic_communication_master_datetime.
SELECT
    'coverage' AS figure,
    '' AS item,
    date_trunc('month', m.comm_datetime)::date AS comm_month,
    count(*) FILTER (WHERE d.id IS NULL OR m.derived_activity_type <> %(activity_type)s) AS failing,
    count(*) AS checked
FROM staging.ic_communication_master AS m
LEFT JOIN staging.{table} AS d ON d.ic_communication_master_id = m.id
WHERE
    m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
    AND (m.derived_activity_type = %(activity_type)s OR d.id IS NOT NULL)
GROUP BY 3
