-- What was computed waits no more, or until its time comes; what was woken meanwhile waits on.
-- Parameters: customers, versions, due.
WITH done AS (
    SELECT
        g.customer_id,
        g.version,
        g.due_at
    FROM unnest(%(customers)s::text[], %(versions)s::bigint[], %(due)s::timestamptz[])
        AS g (customer_id, version, due_at)
),

gone AS (
    DELETE FROM payments.waiting AS w USING done
    WHERE w.customer_id = done.customer_id AND w.version = done.version AND done.due_at IS NULL
)

UPDATE payments.waiting AS w SET due_at = done.due_at
FROM done
WHERE w.customer_id = done.customer_id AND w.version = done.version AND done.due_at IS NOT NULL
