-- How many events of each source wait for their flow, each up to a bound and one more. Parameters: sources, bounds
-- (arrays beside each other).
SELECT
    given.source,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM inbox.event AS e
            WHERE e.state = 'new' AND e.source = given.source
            ORDER BY e.id
            LIMIT given.bound + 1
        ) AS found
    ) AS events
FROM unnest(%(sources)s::text[], %(bounds)s::bigint[]) AS given (source, bound)
