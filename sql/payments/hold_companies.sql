-- Waits until nobody else computes one of the companies, and keeps them from others until the transaction ends. In the
-- order of the locks, so that two cannot wait for each other. Parameters: class (of the locks), keys.
SELECT pg_advisory_xact_lock(%(class)s, held.number)
FROM (
    SELECT DISTINCT hashtext(one.key) AS number
    FROM unnest(%(keys)s::text[]) AS one (key)
    ORDER BY number
) AS held
