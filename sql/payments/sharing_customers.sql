-- Customers of the companies that these customers had, and of those that they have now.
-- Parameters: customers, companies.
SELECT c.customer_id FROM payments.chargebee_customer AS c
WHERE
    c.company = any(%(companies)s)
    OR c.company IN (
        SELECT o.company FROM payments.chargebee_customer AS o
        WHERE o.customer_id = any(%(customers)s)
    )
