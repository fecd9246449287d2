-- Customers that are no company of ours. Parameters: now.
SELECT
    c.customer_id AS subject,
    'it is mapped to no company' AS wrong
FROM payments.chargebee_customer AS c
WHERE c.company IS NULL OR %(now)s IS NULL
ORDER BY c.customer_id
