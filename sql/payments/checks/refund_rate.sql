-- Whether more than a tenth of what was paid in thirty days was taken back. Parameters: now.
SELECT
    'all companies' AS subject,
    round(100 * t.back / t.paid, 1) || ' %% of what was paid in thirty days was taken back' AS wrong
FROM (
    SELECT
        sum(m.amount_usd) FILTER (WHERE m.kind = 'payment') AS paid,
        sum(m.amount_usd) FILTER (WHERE m.kind IN ('refund', 'chargeback')) AS back,
        count(*) FILTER (WHERE m.kind = 'payment') AS payments
    FROM payments.transaction_payments AS m
    WHERE
        m.status = 'success'
        AND NOT m.deleted
        AND m.occurred_at > %(now)s::timestamptz - interval '30 days'
        AND m.occurred_at <= %(now)s
) AS t
WHERE t.payments >= 20 AND t.back > 0.1 * t.paid
