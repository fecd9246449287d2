-- Communications of months that the master has applied whose landed version the master does not show: rows lost, and
-- rows that nothing landed. No parameters.
WITH ready AS (
    SELECT done.comm_month::timestamp AS window_start
    FROM staging.ic_month_stage AS done
    INNER JOIN staging.ic_month AS latest ON latest.comm_month = done.comm_month
    WHERE done.stage = 'master' AND done.change_number >= latest.change_number
),

pair AS (
    SELECT
        coalesce(l.comm_communicationid, m.comm_communicationid) AS comm_communicationid,
        l.comm_communicationid IS NULL AS unlanded,
        m.comm_communicationid IS NULL OR d.drop_key <> m.source_drop OR l.line_number <> m.source_line AS lost
    FROM (
        SELECT * FROM staging.ic_communication_landing
        WHERE is_current AND date_trunc('month', comm_datetime) IN (SELECT window_start FROM ready)
    ) AS l
    INNER JOIN staging.ic_drop AS d ON d.drop_id = l.drop_id
    FULL JOIN (
        SELECT * FROM staging.ic_communication_master
        WHERE date_trunc('month', comm_datetime) IN (SELECT window_start FROM ready)
    ) AS m ON m.comm_communicationid = l.comm_communicationid
)

SELECT
    count(*) FILTER (WHERE unlanded OR lost) AS failing,
    count(*) AS checked,
    (
        SELECT jsonb_agg(to_jsonb(few)) FROM (
            SELECT * FROM pair
            WHERE unlanded OR lost
            ORDER BY comm_communicationid
            LIMIT 10
        ) AS few
    ) AS sample
FROM pair
