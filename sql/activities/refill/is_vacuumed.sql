-- Whether a VACUUM or ANALYZE is at work on a staging table; hardly anything else takes this lock. No parameters.
SELECT
    exists(
        SELECT 1
        FROM pg_locks AS held
        INNER JOIN pg_database AS d ON d.oid = held.database AND d.datname = current_database()
        INNER JOIN pg_class AS c ON c.oid = held.relation AND c.relnamespace = 'staging'::regnamespace
        WHERE held.granted AND held.mode = 'ShareUpdateExclusiveLock'
    ) AS is_vacuumed
