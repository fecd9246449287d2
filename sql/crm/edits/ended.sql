-- Removes the locks that are over, and so wakes the flows that own the fields. Parameters: now (NULL: the database's
-- clock), most.
DELETE FROM crm.field_lock AS f
USING (
    SELECT
        l.company,
        l.field
    FROM crm.field_lock AS l
    WHERE l.locked_until <= coalesce(%(now)s::timestamptz, statement_timestamp())
    ORDER BY l.company COLLATE "C", l.field COLLATE "C" -- noqa: RF03
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
) AS over
WHERE f.company = over.company AND f.field = over.field
