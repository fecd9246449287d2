-- Subscriptions whose figure is not Chargebee's own, where they are more than one in a hundred. Parameters: now.
WITH compared AS (
    SELECT
        m.subscription_id,
        m.effective_mrr,
        e.chargebee_mrr / CASE WHEN l.value = '0' THEN 1 ELSE 100 END::numeric * m.rate AS chargebee_mrr,
        greatest(jsonb_array_length(m.detail -> 'lines'), 1) AS line_count
    FROM payments.subscription_mrr AS m
    INNER JOIN LATERAL (
        SELECT s.chargebee_mrr FROM payments.subscription_events AS s
        WHERE s.subscription_id = m.subscription_id
        ORDER BY s.version DESC
        LIMIT 1
    ) AS e ON TRUE
    LEFT JOIN payments.rule_line AS l ON l.file = 'payments/currencies.csv' AND m.currency = l.key
    WHERE
        m.counted
        AND m.valid_to IS NULL
        AND m.valid_from <= %(now)s
        AND m.effective_mrr IS NOT NULL
        AND e.chargebee_mrr IS NOT NULL
),

differing AS (
    SELECT c.* FROM compared AS c
    WHERE abs(c.effective_mrr - c.chargebee_mrr) > greatest(0.01 * c.line_count, 0.001 * c.chargebee_mrr)
)

SELECT
    d.subscription_id AS subject,
    'ours is ' || d.effective_mrr || ', Chargebee''s ' || round(d.chargebee_mrr, 4) AS wrong
FROM differing AS d
WHERE (SELECT count(*) FROM differing) > 0.01 * (SELECT count(*) FROM compared)
ORDER BY d.subscription_id
