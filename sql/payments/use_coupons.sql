-- Which coupons a customer's subscriptions have had. Parameters: coupons, customers.
INSERT INTO payments.used_coupon (coupon_id, customer_id)
SELECT
    g.coupon_id,
    g.customer_id
FROM unnest(%(coupons)s::text[], %(customers)s::text[]) AS g (coupon_id, customer_id)
ON CONFLICT DO NOTHING
