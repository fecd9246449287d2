-- What the events of a batch named before, where they come with another content and name something else now.
-- No parameters.
SELECT
    e.customer_id,
    e.coupon_id
FROM payments.payment_events AS e
INNER JOIN pg_temp.new_events AS n ON e.event_id = n.event_id
WHERE (e.customer_id, e.coupon_id) IS DISTINCT FROM (n.customer_id, n.coupon_id)
