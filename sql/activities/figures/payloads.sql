-- Derivative rows by month whose payload HubSpot would refuse, by reason; the item '' counts all.
-- Grain: reason, month. Parameters: window_start, window_end; {table}. Uses the index on activity_date.
SELECT
    'payloads' AS figure,
    CASE WHEN d.hubspot_api_payload IS NULL THEN coalesce(d.error_message, 'no reason') ELSE '' END AS item,
    date_trunc('month', d.activity_date)::date AS comm_month,
    count(*) FILTER (WHERE d.hubspot_api_payload IS NULL) AS failing,
    count(*) AS checked
FROM staging.{table} AS d
WHERE d.activity_date >= %(window_start)s AND d.activity_date < %(window_end)s
GROUP BY 2, 3
