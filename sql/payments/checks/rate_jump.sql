-- Rates more than a quarter away from the one before, of at most thirty days ago. Parameters: now.
SELECT
    r.currency || ' ' || r.rate_date AS subject,
    'it went from ' || r.before || ' to ' || r.usd_per_unit AS wrong
FROM (
    SELECT
        x.currency,
        x.rate_date,
        x.usd_per_unit,
        lag(x.usd_per_unit) OVER (PARTITION BY x.currency ORDER BY x.rate_date, x.as_of, x.event_id) AS before,
        lag(x.rate_date) OVER (PARTITION BY x.currency ORDER BY x.rate_date, x.as_of, x.event_id) AS before_on
    FROM payments.exchange_rate AS x
    WHERE x.as_of <= %(now)s
) AS r
WHERE
    r.rate_date - r.before_on <= 30
    AND greatest(r.usd_per_unit / r.before, r.before / r.usd_per_unit) > 1.25
ORDER BY subject
