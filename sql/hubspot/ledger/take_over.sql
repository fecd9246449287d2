-- Takes over what a dead worker had in its hands: whatever it was, its outcome is unknown now. The caller
-- holds the dead worker's advisory lock, which proves that it is dead. When it sent what it had claimed is
-- not known (it may have waited for the budget), so that the pause counts from now. Every given criterion holds (NULL:
-- not given). Parameters: portal_id, dead_worker, worker, pause (seconds after a request in which it may still come
-- through), types, window_start, window_end (excluded), push_ids (that created it, or were about to), ids.
UPDATE hubspot.push_ledger SET
    state = 'unknown',
    worker = %(worker)s,
    check_after = now(),
    in_doubt_until = CASE
        WHEN state = 'unknown' THEN in_doubt_until
        ELSE clock_timestamp() + make_interval(secs => %(pause)s)
    END,
    updated_at = now()
WHERE
    portal_id = %(portal_id)s
    AND worker = %(dead_worker)s
    AND state IN ('in_flight', 'unknown')
    AND (%(types)s::text[] IS NULL OR activity_type = any(%(types)s))
    AND (%(window_start)s::date IS NULL OR activity_month >= %(window_start)s)
    AND (%(window_end)s::date IS NULL OR activity_month < %(window_end)s)
    AND (
        %(push_ids)s::integer[] IS NULL
        OR CASE action WHEN 'create' THEN push_id ELSE created_push_id END = any(%(push_ids)s)
    )
    AND (%(ids)s::text[] IS NULL OR record_key = any(%(ids)s));
