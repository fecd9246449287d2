-- Invoices whose amounts do not add up. Parameters: now.
SELECT
    i.invoice_id AS subject,
    'its amounts do not add up' AS wrong
FROM payments.chargebee_invoices AS i
WHERE i.problem ~ 'invoice_identity' OR %(now)s IS NULL
ORDER BY i.invoice_id
