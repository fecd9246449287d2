-- Rows by day, of the days of events that were taken since. Parameters: since, most.
WITH touched AS (
    SELECT DISTINCT (p.occurred_at AT TIME ZONE 'UTC')::date AS on_day
    FROM inbox.event AS e
    INNER JOIN payments.payment_events AS p ON e.body ->> 'id' = p.event_id
    WHERE e.source = 'chargebee' AND e.done_at >= %(since)s
    ORDER BY on_day DESC
    LIMIT %(most)s
)

SELECT
    d.on_day,
    (
        SELECT count(*) FROM {table} AS t
        WHERE t.{dated} >= d.on_day AND t.{dated} < d.on_day + 1
    ) AS row_count
FROM touched AS d
ORDER BY d.on_day
