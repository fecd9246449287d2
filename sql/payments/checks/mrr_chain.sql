-- Rows whose figures do not follow from each other. Parameters: now.
SELECT
    m.subscription_id || ' at ' || m.valid_from AS subject,
    'its figures do not follow from each other' AS wrong
FROM payments.subscription_mrr AS m
WHERE
    m.calculated_mrr <> m.base_plan_mrr + m.addon_mrr
    OR m.effective_mrr <> m.calculated_mrr - m.discount_mrr
    OR m.sales_effective_mrr > m.effective_mrr
    OR m.effective_mrr < 0
    OR %(now)s IS NULL
ORDER BY subject
