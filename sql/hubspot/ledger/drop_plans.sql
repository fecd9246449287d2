-- Removes the plan of a push that ends, and of those whose process is gone: a push lives as long as its session holds
-- its lock, and holds it before it plans. Plans with a number below 0 are of dry runs. Parameters: class, worker.
DELETE FROM hubspot.push_plan
WHERE
    push_id = %(worker)s
    OR (
        push_id > 0
        AND push_id NOT IN (
            SELECT objid::bigint
            FROM pg_locks
            WHERE
                locktype = 'advisory'
                AND classid::bigint = %(class)s
                AND objsubid = 2
                AND granted
                AND database = (
                    SELECT oid FROM pg_database
                    WHERE datname = current_database()
                )
        )
    );
