-- How many companies pay, subscriptions have no figure, and customers are no company. Parameters: company, or NULL.
SELECT
    (
        SELECT count(DISTINCT coalesce(m.company, '?' || m.customer_id)) FROM payments.subscription_mrr AS m
        WHERE m.valid_to IS NULL AND m.counted AND (m.effective_mrr > 0 OR m.effective_mrr IS NULL)
    ) AS paying,
    (
        SELECT count(*) FROM payments.subscription_mrr AS m
        WHERE
            m.valid_to IS NULL AND m.counted AND m.effective_mrr IS NULL
            AND (%(company)s::text IS NULL OR m.company = %(company)s)
    ) AS unknown,
    (
        SELECT count(*) FROM payments.chargebee_customer AS c
        WHERE c.company IS NULL AND %(company)s::text IS NULL
    ) AS unmapped
