-- Communications by month whose landed version the master does not show: rows lost, and rows that nothing landed.
-- Grain: month. Parameters: window_start, window_end. Uses the indexes on comm_datetime.
SELECT
    'landed' AS figure,
    '' AS item,
    date_trunc('month', coalesce(l.comm_datetime, m.comm_datetime))::date AS comm_month,
    count(*) FILTER (
        WHERE
        l.comm_communicationid IS NULL OR m.comm_communicationid IS NULL
        OR l.drop_key <> m.source_drop OR l.line_number <> m.source_line
    ) AS failing,
    count(*) AS checked
FROM (
    SELECT
        landed.comm_communicationid,
        landed.comm_datetime,
        landed.line_number,
        d.drop_key
    FROM staging.ic_communication_landing AS landed
    INNER JOIN staging.ic_drop AS d ON d.drop_id = landed.drop_id
    WHERE landed.is_current AND landed.comm_datetime >= %(window_start)s AND landed.comm_datetime < %(window_end)s
) AS l
FULL JOIN (
    SELECT
        comm_communicationid,
        comm_datetime,
        source_drop,
        source_line
    FROM staging.ic_communication_master
    WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
) AS m ON m.comm_communicationid = l.comm_communicationid
GROUP BY 3
