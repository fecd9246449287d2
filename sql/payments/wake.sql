-- Who has to be computed again after a batch: the customers of its events, those whose events share an object with them
-- (a subscription may have moved), and whoever a coupon, a currency's rate or a grant is for.
-- Parameters: coupons, currencies, granted, named (customers that its events named before).
INSERT INTO payments.waiting AS w (customer_id, version, due_at)
SELECT
    woken.customer_id,
    nextval('crm.wake_version'),
    '-infinity'
FROM (
    SELECT n.customer_id FROM pg_temp.new_events AS n
    UNION
    SELECT unnest(%(named)s::text[]) AS customer_id
    UNION
    SELECT e.customer_id
    FROM (
        SELECT DISTINCT n.subscription_id FROM pg_temp.new_events AS n
        WHERE n.subscription_id IS NOT NULL
    ) AS n
    INNER JOIN payments.payment_events AS e ON n.subscription_id = e.subscription_id
    UNION
    SELECT e.customer_id
    FROM (
        SELECT DISTINCT n.invoice_id FROM pg_temp.new_events AS n
        WHERE n.invoice_id IS NOT NULL
    ) AS n
    INNER JOIN payments.payment_events AS e ON n.invoice_id = e.invoice_id
    UNION
    SELECT e.customer_id
    FROM (
        SELECT DISTINCT n.transaction_id FROM pg_temp.new_events AS n
        WHERE n.transaction_id IS NOT NULL
    ) AS n
    INNER JOIN payments.payment_events AS e ON n.transaction_id = e.transaction_id
    UNION
    SELECT u.customer_id FROM payments.used_coupon AS u
    WHERE u.coupon_id = any(%(coupons)s)
    UNION
    SELECT m.customer_id FROM payments.subscription_mrr AS m
    WHERE m.currency = any(%(currencies)s)
    UNION
    SELECT t.customer_id FROM payments.transaction_payments AS t
    WHERE t.currency = any(%(currencies)s)
    UNION
    SELECT e.customer_id FROM payments.payment_events AS e
    WHERE e.subscription_id = any(%(granted)s)
) AS woken
WHERE woken.customer_id IS NOT NULL
ORDER BY woken.customer_id
ON CONFLICT (customer_id) DO UPDATE SET version = nextval('crm.wake_version'), due_at = excluded.due_at
