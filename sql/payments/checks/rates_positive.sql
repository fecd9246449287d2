-- Rates that no currency has. Parameters: now.
SELECT
    r.currency || ' ' || r.rate_date AS subject,
    'its rate is ' || r.usd_per_unit AS wrong
FROM payments.exchange_rate AS r
WHERE r.usd_per_unit <= 0 OR r.usd_per_unit > 1000 OR %(now)s IS NULL
ORDER BY subject
