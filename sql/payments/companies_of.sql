-- The companies of customers as they stand. Parameters: customers.
SELECT DISTINCT c.company FROM payments.chargebee_customer AS c
WHERE c.customer_id = any(%(customers)s)
