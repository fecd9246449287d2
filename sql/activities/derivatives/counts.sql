-- Rows of a slice by month and push status. Parameters: window_start, window_end; {table}.
SELECT
    date_trunc('month', activity_date)::date AS comm_month,
    count(*) AS row_count,
    count(*) FILTER (WHERE hubspot_api_payload IS NULL) AS invalid
FROM staging.{table}
WHERE activity_date >= %(window_start)s AND activity_date < %(window_end)s
GROUP BY 1
