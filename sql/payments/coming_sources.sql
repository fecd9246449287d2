-- When a rate or a grant becomes known that a customer may need. Parameters: customers, until.
SELECT
    m.customer_id,
    min(r.as_of) AS as_of
FROM payments.exchange_rate AS r
INNER JOIN payments.subscription_mrr AS m ON r.currency = m.currency
WHERE r.as_of > %(until)s AND m.customer_id = any(%(customers)s)
GROUP BY m.customer_id
UNION ALL
SELECT
    t.customer_id,
    min(r.as_of) AS as_of
FROM payments.exchange_rate AS r
INNER JOIN payments.transaction_payments AS t ON r.currency = t.currency
WHERE r.as_of > %(until)s AND t.customer_id = any(%(customers)s)
GROUP BY t.customer_id
UNION ALL
SELECT
    e.customer_id,
    min(f.as_of) AS as_of
FROM payments.free_months AS f
INNER JOIN payments.payment_events AS e ON f.subscription_id = e.subscription_id
WHERE f.as_of > %(until)s AND e.customer_id = any(%(customers)s)
GROUP BY e.customer_id
