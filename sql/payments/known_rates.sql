-- The rate of each currency and day, of several the newest. Parameters: until.
SELECT DISTINCT ON (r.currency, r.rate_date)
    r.currency,
    r.rate_date,
    r.usd_per_unit
FROM payments.exchange_rate AS r
WHERE r.as_of <= %(until)s
ORDER BY r.currency ASC, r.rate_date ASC, r.as_of DESC, convert_to(r.event_id, 'UTF8') DESC
