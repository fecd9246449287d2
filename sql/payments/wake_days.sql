-- Has every customer computed again that has an event in the days. Parameters: start, until.
INSERT INTO payments.waiting AS w (customer_id, version, due_at)
SELECT
    e.customer_id,
    nextval('crm.wake_version'),
    '-infinity'
FROM (
    SELECT DISTINCT p.customer_id FROM payments.payment_events AS p
    WHERE p.occurred_at >= %(start)s AND p.occurred_at < %(until)s AND p.customer_id IS NOT NULL
) AS e
ORDER BY e.customer_id
ON CONFLICT (customer_id) DO UPDATE SET version = nextval('crm.wake_version'), due_at = excluded.due_at
