-- Grants of the customers' subscriptions. Parameters: until, customers.
SELECT
    f.subscription_id,
    f.as_of,
    f.event_id,
    f.free_months,
    f.starts_on,
    f.term_months
FROM payments.free_months AS f
WHERE
    f.as_of <= %(until)s
    AND f.subscription_id IN (
        SELECT e.subscription_id FROM payments.payment_events AS e
        WHERE e.customer_id = any(%(customers)s)
    )
