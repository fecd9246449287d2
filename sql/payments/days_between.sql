-- Rows by day. Parameters: start, until.
SELECT
    (t.{dated} AT TIME ZONE 'UTC')::date AS on_day,
    count(*) AS row_count
FROM {table} AS t
WHERE t.{dated} >= %(start)s AND t.{dated} < %(until)s
GROUP BY on_day
ORDER BY on_day
