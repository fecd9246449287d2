-- Communications of one type by month without a derivative row, and derivative rows beyond theirs: of another type, or
-- under another month than their communication. Grain: month. Parameters: window_start, window_end, activity_type;
-- {table}. Uses ic_communication_master_datetime and the index on activity_date.
WITH paired AS (
    SELECT
        date_trunc('month', m.comm_datetime)::date AS comm_month,
        count(*) AS communications,
        count(d.id) AS matched
    FROM staging.ic_communication_master AS m
    LEFT JOIN staging.{table} AS d ON d.ic_communication_master_id = m.id
    WHERE
        m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
        AND m.derived_activity_type = %(activity_type)s
    GROUP BY 1
),

standing AS (
    SELECT
        date_trunc('month', d.activity_date)::date AS comm_month,
        count(*) AS derivatives
    FROM staging.{table} AS d
    WHERE d.activity_date >= %(window_start)s AND d.activity_date < %(window_end)s
    GROUP BY 1
)

SELECT
    'coverage' AS figure,
    '' AS item,
    coalesce(paired.comm_month, standing.comm_month) AS comm_month,
    coalesce(paired.communications - paired.matched, 0)
    + abs(coalesce(standing.derivatives, 0) - coalesce(paired.matched, 0)) AS failing,
    coalesce(paired.communications, 0)
    + greatest(coalesce(standing.derivatives, 0) - coalesce(paired.matched, 0), 0) AS checked
FROM paired
FULL JOIN standing ON standing.comm_month = paired.comm_month
