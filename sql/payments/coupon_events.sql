-- Every event that carries one of the coupons. Parameters: coupons.
SELECT
    e.event_id,
    e.event_type,
    e.occurred_at,
    e.source,
    e.content::text AS content
FROM payments.payment_events AS e
WHERE e.coupon_id = any(%(coupons)s)
