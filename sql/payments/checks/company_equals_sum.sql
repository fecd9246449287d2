-- Companies whose figures are not the sums of their subscriptions as they stand. Parameters: now.
WITH sums AS (
    SELECT
        m.company,
        CASE WHEN bool_and(m.calculated_mrr IS NOT NULL) THEN sum(m.calculated_mrr) END AS current_mrr,
        CASE WHEN bool_and(m.effective_mrr IS NOT NULL) THEN sum(m.effective_mrr) END AS effective_mrr,
        CASE
            WHEN bool_and(m.sales_effective_mrr IS NOT NULL) THEN sum(m.sales_effective_mrr)
        END AS sales_effective_mrr
    FROM payments.subscription_mrr AS m
    WHERE m.valid_to IS NULL AND m.company IS NOT NULL AND m.valid_from <= %(now)s
    GROUP BY m.company
)

SELECT
    s.company AS subject,
    'it has ' || coalesce(p.effective_mrr::text, 'nothing') || ', its subscriptions '
    || coalesce(s.effective_mrr::text, 'nothing') AS wrong
FROM sums AS s
LEFT JOIN crm.company_profile_meta_data AS p ON s.company = p.company
WHERE
    (p.current_mrr, p.effective_mrr, p.sales_effective_mrr)
    IS DISTINCT FROM (s.current_mrr, s.effective_mrr, s.sales_effective_mrr)
ORDER BY s.company
