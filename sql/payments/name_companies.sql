-- The present company of each customer, on the archive's events. Parameters: customers.
UPDATE payments.payment_events AS e SET company = c.company
FROM payments.chargebee_customer AS c
WHERE
    e.customer_id = c.customer_id
    AND c.customer_id = any(%(customers)s)
    AND e.company IS DISTINCT FROM c.company
