-- The advisory locks that others hold in this database, by their numbers. Parameters: none.
SELECT
    l.objsubid AS numbers,
    l.classid::bigint AS class,
    l.objid::bigint AS number
FROM pg_locks AS l
INNER JOIN pg_database AS d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND d.datname = current_database() AND l.pid <> pg_backend_pid() AND l.granted;
