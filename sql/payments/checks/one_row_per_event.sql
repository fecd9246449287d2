-- Events that carry a subscription and have no row. Parameters: now.
SELECT
    e.event_id AS subject,
    'it has no row in subscription_events' AS wrong
FROM payments.payment_events AS e
INNER JOIN payments.event_type AS t ON e.event_type = t.event_type
WHERE
    t.handling = 'read'
    AND e.content ? 'subscription'
    AND jsonb_typeof(e.content -> 'subscription') = 'object'
    AND e.occurred_at <= %(now)s
    AND NOT EXISTS (
        SELECT FROM payments.subscription_events AS s
        WHERE s.event_id = e.event_id
    )
    AND NOT EXISTS (
        SELECT FROM payments.waiting AS w
        WHERE w.customer_id = e.customer_id
    )
ORDER BY e.event_id
