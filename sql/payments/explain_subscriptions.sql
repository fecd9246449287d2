-- The rows of a company's subscriptions that hold at a time. Parameters: company, at (NULL: now, as computed last).
SELECT
    m.subscription_id,
    m.valid_from,
    m.cause,
    m.status,
    m.counted,
    m.currency,
    m.rate,
    m.rate_date,
    m.rate_source,
    m.calculated_mrr,
    m.discount_mrr,
    m.effective_mrr,
    m.sales_effective_mrr,
    m.paid_months,
    m.covered_months,
    m.problem,
    m.detail
FROM payments.subscription_mrr AS m
WHERE
    (m.company = %(company)s OR '?' || m.customer_id = %(company)s)
    AND CASE
        WHEN %(at)s::timestamptz IS NULL THEN m.valid_to IS NULL
        ELSE m.valid_from <= %(at)s AND coalesce(m.valid_to > %(at)s, TRUE)
    END
ORDER BY m.subscription_id
