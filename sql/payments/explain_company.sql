-- What stands of a company. Parameters: company, at (unused).
SELECT
    p.payment_status,
    p.paying_since,
    p.plan_id,
    p.collections_usd,
    r.arr_usd,
    r.arr_range,
    r.changed_at,
    s.status AS invoices_status,
    s.changed_at AS invoices_since,
    s.context AS invoices_context,
    d.status AS discount_status,
    d.discount_usd,
    d.term_end,
    (
        SELECT count(*) FROM payments.transaction_payments AS t
        WHERE t.company = p.company AND t.counted_usd <> 0
    ) AS transactions
FROM crm.company_profile_meta_data AS p
LEFT JOIN crm.company_profile_arr_range AS r ON p.company = r.company
LEFT JOIN payments.company_current_discount AS d ON p.company = d.company
LEFT JOIN LATERAL (
    SELECT
        c.status,
        c.changed_at,
        c.context
    FROM payments.company_payments_status AS c
    WHERE c.company = p.company
    ORDER BY c.changed_at DESC
    LIMIT 1
) AS s ON TRUE
WHERE
    p.company = %(company)s
    AND (d.company IS NOT NULL OR p.payment_status IS NOT NULL)
    AND (%(at)s::timestamptz IS NULL OR TRUE)
