-- Takes over what a dead worker had in its hands: whatever it was, its outcome is unknown now. The caller
-- holds the dead worker's advisory lock, which proves that it is dead. Parameters: portal_id, dead_worker,
-- worker, pause (seconds after the attempt in which it may still be committed).
UPDATE hubspot.push_ledger SET
    state = 'unknown',
    worker = %(worker)s,
    check_after = now(),
    in_doubt_until = coalesce(in_doubt_until, claimed_at + make_interval(secs => %(pause)s)),
    updated_at = now()
WHERE
    portal_id = %(portal_id)s
    AND worker = %(dead_worker)s
    AND state IN ('in_flight', 'unknown');
