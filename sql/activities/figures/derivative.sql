-- What a derivative table holds by month: rows in which a column has no value, and more of the kind that {flaws} lists
-- as (figure, item, condition on d). Grain: figure, item, month.
-- Parameters: window_start, window_end; {table}. Uses the index on activity_date.
SELECT
    flaw.figure,
    flaw.item,
    date_trunc('month', d.activity_date)::date AS comm_month,
    count(*) FILTER (WHERE flaw.found) AS failing,
    count(*) AS checked
FROM staging.{table} AS d
CROSS JOIN LATERAL (VALUES {flaws}) AS flaw (figure, item, found)
WHERE d.activity_date >= %(window_start)s AND d.activity_date < %(window_end)s
GROUP BY 1, 2, 3
