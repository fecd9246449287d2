-- Statuses, kinds and types that are not known. Parameters: now.
SELECT
    m.subscription_id AS subject,
    'its status is ' || m.status AS wrong
FROM payments.subscription_mrr AS m
WHERE
    m.status NOT IN ('future', 'in_trial', 'active', 'non_renewing', 'paused', 'cancelled', 'transferred')
    OR %(now)s IS NULL
UNION ALL
SELECT
    e.event_id AS subject,
    'its type ' || e.event_type || ' is in no line of event_type.csv' AS wrong
FROM payments.payment_events AS e
WHERE
    NOT EXISTS (
        SELECT FROM payments.event_type AS t
        WHERE t.event_type = e.event_type
    )
ORDER BY subject
