-- Every event that carries an object of the customers, those of its subscriptions, invoices and transactions that came
-- under another customer too. Parameters: customers, until.
WITH own AS (
    SELECT
        e.event_id,
        e.subscription_id,
        e.invoice_id,
        e.transaction_id
    FROM payments.payment_events AS e
    WHERE e.customer_id = any(%(customers)s)
),

wanted AS (
    SELECT own.event_id FROM own
    UNION
    SELECT e.event_id
    FROM payments.payment_events AS e
    WHERE e.subscription_id IN (SELECT own.subscription_id FROM own)
    UNION
    SELECT e.event_id
    FROM payments.payment_events AS e
    WHERE e.invoice_id IN (SELECT own.invoice_id FROM own)
    UNION
    SELECT e.event_id
    FROM payments.payment_events AS e
    WHERE e.transaction_id IN (SELECT own.transaction_id FROM own)
)

SELECT
    e.event_id,
    e.event_type,
    e.occurred_at,
    e.source,
    e.content::text AS content
FROM wanted
INNER JOIN payments.payment_events AS e ON wanted.event_id = e.event_id
INNER JOIN payments.event_type AS t ON e.event_type = t.event_type
WHERE t.handling = 'read'
