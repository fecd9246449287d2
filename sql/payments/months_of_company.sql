-- Revenue of one company by month. Parameters: first, last (days in the first and the last month, or NULL), company.
SELECT
    m.month,
    m.start_mrr,
    m.new,
    m.expansion,
    m.contraction,
    m.churn,
    m.reactivation,
    m.fx,
    m.end_mrr
FROM payments.v_mrr_monthly AS m
WHERE
    m.company_key = %(company)s
    AND (%(first)s::date IS NULL OR m.month >= date_trunc('month', %(first)s::date))
    AND (%(last)s::date IS NULL OR m.month <= %(last)s::date)
ORDER BY m.month
