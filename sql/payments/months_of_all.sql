-- Revenue by month, in all. Parameters: first, last (days in the first and the last month, or NULL), company (unused).
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
FROM payments.v_mrr_total_monthly AS m
WHERE
    (%(first)s::date IS NULL OR m.month >= date_trunc('month', %(first)s::date))
    AND (%(last)s::date IS NULL OR m.month <= %(last)s::date)
    AND %(company)s::text IS NULL
ORDER BY m.month
