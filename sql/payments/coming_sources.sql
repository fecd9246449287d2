-- When a rate or a grant becomes known that a customer may need. Parameters: customers, until; owners and currencies,
-- beside each other: the currencies that a customer's objects are in.
SELECT
    u.customer_id,
    min(r.as_of) AS as_of
FROM unnest(%(owners)s::text[], %(currencies)s::text[]) AS u (customer_id, currency)
INNER JOIN payments.exchange_rate AS r ON u.currency = r.currency
WHERE r.as_of > %(until)s
GROUP BY u.customer_id
UNION ALL
SELECT
    e.customer_id,
    min(f.as_of) AS as_of
FROM payments.free_months AS f
INNER JOIN payments.payment_events AS e ON f.subscription_id = e.subscription_id
WHERE f.as_of > %(until)s AND e.customer_id = any(%(customers)s)
GROUP BY e.customer_id
