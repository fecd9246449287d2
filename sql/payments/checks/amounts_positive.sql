-- Transactions at or below 0, and counted amounts beyond them. Parameters: now.
SELECT
    t.transaction_id AS subject,
    'its amount is ' || t.amount || ', of which ' || t.counted_amount || ' counts' AS wrong
FROM payments.transaction_payments AS t
WHERE t.amount <= 0 OR t.counted_amount NOT BETWEEN 0 AND t.amount OR %(now)s IS NULL
ORDER BY t.transaction_id
