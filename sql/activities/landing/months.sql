-- The months that a drop's written rows stand in, with the first and last date of each. Parameters: drop_id.
SELECT
    date_trunc('month', comm_datetime)::date AS comm_month,
    min(comm_datetime) AS first_date,
    max(comm_datetime) AS last_date
FROM staging.ic_communication_landing
WHERE drop_id = %(drop_id)s AND fate IN ('inserted', 'updated')
GROUP BY 1
