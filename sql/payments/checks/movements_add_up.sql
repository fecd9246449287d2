-- Companies whose movements do not add up to what they pay, and days that do not follow from each other.
-- Parameters: now.
SELECT
    d.company_key || ' on ' || d.day AS subject,
    'the day starts at ' || d.start_mrr || ', the one before ends at ' || d.ended AS wrong
FROM (
    SELECT
        m.company_key,
        m.day,
        m.start_mrr,
        coalesce(lag(m.end_mrr) OVER (PARTITION BY m.company_key ORDER BY m.day), 0) AS ended
    FROM payments.mrr_daily AS m
) AS d
WHERE d.start_mrr <> d.ended OR %(now)s IS NULL
UNION ALL
SELECT
    p.company AS subject,
    'it pays ' || p.effective_mrr || ', its movements add up to ' || coalesce(m.amount_usd, 0) AS wrong
FROM crm.company_profile_meta_data AS p
LEFT JOIN (
    SELECT
        v.company_key,
        sum(v.amount_usd) AS amount_usd
    FROM payments.mrr_movement AS v
    GROUP BY v.company_key
) AS m ON p.company = m.company_key
WHERE p.effective_mrr IS NOT NULL AND p.effective_mrr <> coalesce(m.amount_usd, 0)
ORDER BY subject
