-- Whether this very session holds a worker's lock. Parameters: class, worker.
SELECT count(*) > 0 AS is_held
FROM pg_locks
WHERE
    locktype = 'advisory'
    AND pid = pg_backend_pid()
    AND classid::bigint = %(class)s
    AND objid::bigint = %(worker)s
    AND objsubid = 2
    AND granted;
