-- The next customers whose time has come; those that another transaction has in hand are left to it.
-- Parameters: most, now.
SELECT
    w.customer_id,
    w.version
FROM payments.waiting AS w
WHERE w.due_at <= %(now)s
ORDER BY w.customer_id
LIMIT %(most)s
FOR UPDATE SKIP LOCKED
