-- Subscriptions that count and have no figure. Parameters: now.
SELECT
    m.subscription_id AS subject,
    m.problem AS wrong
FROM payments.subscription_mrr AS m
WHERE m.counted AND m.valid_to IS NULL AND m.effective_mrr IS NULL AND m.valid_from <= %(now)s
ORDER BY m.subscription_id
