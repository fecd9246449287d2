-- Terms that ended a day ago without a newer version, and objects of subscriptions that nobody knows.
-- Parameters: now.
SELECT
    s.subscription_id AS subject,
    'its term ended on ' || s.current_term_end || ' and no event told how it goes on' AS wrong
FROM (
    SELECT DISTINCT ON (e.subscription_id)
        e.subscription_id,
        e.current_term_end,
        e.status
    FROM payments.subscription_events AS e
    ORDER BY e.subscription_id ASC, e.version DESC
) AS s
WHERE
    s.status IN ('active', 'non_renewing', 'in_trial')
    AND s.current_term_end < %(now)s::timestamptz - interval '24 hours'
UNION ALL
SELECT DISTINCT
    i.subscription_id AS subject,
    'an invoice names it, and no event carried it' AS wrong
FROM payments.chargebee_invoices AS i
WHERE
    i.subscription_id IS NOT NULL
    AND i.invoiced_at < %(now)s::timestamptz - interval '1 hour'
    AND NOT EXISTS (
        SELECT FROM payments.subscription_mrr AS m
        WHERE m.subscription_id = i.subscription_id
    )
UNION ALL
SELECT DISTINCT
    t.subscription_id AS subject,
    'a payment names it, and no event carried it' AS wrong
FROM payments.transaction_payments AS t
WHERE
    t.subscription_id IS NOT NULL
    AND t.occurred_at < %(now)s::timestamptz - interval '1 hour'
    AND NOT EXISTS (
        SELECT FROM payments.subscription_mrr AS m
        WHERE m.subscription_id = t.subscription_id
    )
ORDER BY subject
