-- Companies whose range is not the one that their revenue lies in. Parameters: now.
SELECT
    r.company AS subject,
    'it is in ' || coalesce(r.arr_range, 'no range') || ' with ' || r.arr_usd || ' a year' AS wrong
FROM crm.company_profile_arr_range AS r
INNER JOIN crm.company_profile_meta_data AS p ON r.company = p.company
LEFT JOIN LATERAL (
    SELECT l.key AS arr_range FROM payments.rule_line AS l
    WHERE l.file = 'payments/arr_range.csv' AND l.value::numeric <= r.arr_usd
    ORDER BY l.value::numeric DESC
    LIMIT 1
) AS l ON r.arr_usd > 0
WHERE
    (r.arr_usd > 0 AND l.arr_range IS DISTINCT FROM r.arr_range)
    OR (r.arr_usd = 0 AND p.payment_status IS DISTINCT FROM 'PAID' AND r.arr_range IS NOT NULL)
    OR r.arr_usd <> 12 * p.effective_mrr
    OR %(now)s IS NULL
ORDER BY r.company
