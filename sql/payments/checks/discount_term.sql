-- Discounts that count although they have ended. Parameters: now.
SELECT
    c.company AS subject,
    'discount ' || (d.one ->> 'id') || ' has ended' AS wrong
FROM payments.company_current_discount AS c
CROSS JOIN LATERAL jsonb_array_elements(c.discounts) AS d (one)
WHERE to_timestamp((d.one ->> 'end')::numeric) <= %(now)s
ORDER BY c.company
