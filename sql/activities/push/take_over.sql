-- Takes over what a dead worker had in its hands: whatever it was, its outcome is unknown now. The caller
-- holds the dead worker's advisory lock, which proves that it is dead. When it sent what it had claimed is
-- not known (it may have waited for the budget), so that the pause counts from now. Parameters: portal_id,
-- dead_worker, worker, pause (seconds after a request in which it may still come through).
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
    AND state IN ('in_flight', 'unknown');
