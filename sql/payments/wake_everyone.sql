-- Has every customer computed again. No parameters.
INSERT INTO payments.waiting AS w (customer_id, version, due_at)
SELECT
    c.customer_id,
    nextval('crm.wake_version'),
    '-infinity'
FROM payments.chargebee_customer AS c
ORDER BY c.customer_id
ON CONFLICT (customer_id) DO UPDATE SET version = nextval('crm.wake_version'), due_at = excluded.due_at
