-- Companies whose collections are not the sum of their transactions. Parameters: now.
SELECT
    p.company AS subject,
    'it has ' || coalesce(p.collections_usd::text, 'nothing') || ', its transactions add up to '
    || coalesce(t.counted_usd::text, 'nothing') AS wrong
FROM crm.company_profile_meta_data AS p
INNER JOIN (
    SELECT
        m.company,
        CASE WHEN bool_and(m.counted_usd IS NOT NULL) THEN sum(m.counted_usd) END AS counted_usd
    FROM payments.transaction_payments AS m
    WHERE m.company IS NOT NULL
    GROUP BY m.company
) AS t ON p.company = t.company
WHERE p.collections_usd IS DISTINCT FROM t.counted_usd OR %(now)s IS NULL
ORDER BY p.company
