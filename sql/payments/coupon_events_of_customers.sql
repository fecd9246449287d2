-- Every event that carries a coupon of the customers. Parameters: customers.
SELECT
    e.event_id,
    e.event_type,
    e.occurred_at,
    e.source,
    e.content::text AS content
FROM payments.payment_events AS e
WHERE e.coupon_id IN (
    SELECT u.coupon_id FROM payments.used_coupon AS u
    WHERE u.customer_id = any(%(customers)s)
)
