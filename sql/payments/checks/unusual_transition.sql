-- Invoices that went from status to status in an unusual way. Parameters: now.
SELECT
    i.invoice_id AS subject,
    'its status came to be ' || i.status || ' in an unusual way' AS wrong
FROM payments.chargebee_invoices AS i
WHERE i.problem ~ 'unusual_transition' OR %(now)s IS NULL
ORDER BY i.invoice_id
