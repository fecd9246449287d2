-- Communications by month whose landed version the master does not show: rows lost, and rows that nothing landed.
-- Grain: month. Parameters: window_start, window_end. Uses the indexes on comm_datetime.
SELECT
    'landed' AS figure,
    '' AS item,
    date_trunc('month', coalesce(l.comm_datetime, m.comm_datetime))::date AS comm_month,
    count(*) FILTER (
        WHERE
        l.comm_communicationid IS NULL OR m.comm_communicationid IS NULL
        OR l.drop_id IS DISTINCT FROM m.drop_id OR l.line_number <> m.source_line
    ) AS failing,
    count(*) AS checked
FROM (
    SELECT
        comm_communicationid,
        comm_datetime,
        line_number,
        drop_id
    FROM staging.ic_communication_landing
    WHERE is_current AND comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
) AS l
FULL JOIN (
    -- Numbers go through the join, not the names of the drops.
    SELECT
        master.comm_communicationid,
        master.comm_datetime,
        d.drop_id,
        master.source_line
    FROM staging.ic_communication_master AS master
    LEFT JOIN staging.ic_drop AS d ON d.drop_key = master.source_drop
    WHERE master.comm_datetime >= %(window_start)s AND master.comm_datetime < %(window_end)s
) AS m ON m.comm_communicationid = l.comm_communicationid
GROUP BY 3
