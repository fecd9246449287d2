-- A batch's events into the archive. One that was there before comes with another content, which stands now; a
-- confirmed one stays.
-- No parameters.
INSERT INTO payments.payment_events AS e (
    event_id, event_type, occurred_at, received_at, source, api_version, customer_id, subscription_id, invoice_id,
    transaction_id, coupon_id, verified_by, confirmed, content
)
SELECT
    n.event_id,
    n.event_type,
    n.occurred_at,
    n.received_at,
    n.source,
    n.api_version,
    n.customer_id,
    n.subscription_id,
    n.invoice_id,
    n.transaction_id,
    n.coupon_id,
    n.verified_by,
    n.confirmed,
    n.content
FROM pg_temp.new_events AS n
ON CONFLICT (event_id) DO UPDATE SET
    event_type = excluded.event_type,
    occurred_at = excluded.occurred_at,
    received_at = excluded.received_at,
    source = excluded.source,
    customer_id = excluded.customer_id,
    subscription_id = excluded.subscription_id,
    invoice_id = excluded.invoice_id,
    transaction_id = excluded.transaction_id,
    coupon_id = excluded.coupon_id,
    verified_by = excluded.verified_by,
    confirmed = excluded.confirmed,
    content = excluded.content
WHERE excluded.confirmed OR NOT e.confirmed
