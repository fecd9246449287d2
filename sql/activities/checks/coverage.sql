-- Communications of one type, in the months that its derivative has applied, without a derivative row, and derivative
-- rows whose communication is of another type. Parameters: activity_type; {table}.
WITH ready AS (
    SELECT window_start FROM staging.v_ic_month_ready
    WHERE stage = %(activity_type)s
),

pair AS (
    SELECT
        m.comm_communicationid,
        d.id IS NULL AS missing,
        m.derived_activity_type <> %(activity_type)s AS extra
    FROM staging.ic_communication_master AS m
    LEFT JOIN staging.{table} AS d ON d.ic_communication_master_id = m.id
    WHERE
        (m.derived_activity_type = %(activity_type)s OR d.id IS NOT NULL)
        AND date_trunc('month', m.comm_datetime) IN (SELECT window_start FROM ready)
)

SELECT
    count(*) FILTER (WHERE missing OR extra) AS failing,
    count(*) AS checked,
    (
        SELECT jsonb_agg(to_jsonb(few)) FROM (
            SELECT * FROM pair
            WHERE missing OR extra
            ORDER BY comm_communicationid
            LIMIT 10
        ) AS few
    ) AS sample
FROM pair
