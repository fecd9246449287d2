-- Removes old events that are done and that the flow's archive holds; of an id with several contents none. A page of
-- them; returns how many and the highest id. Parameters: source, topics (a regular expression), before, after, most.
-- {archive}: a table or view of the flow's with source and event_id.
WITH old AS (
    SELECT e.id
    FROM inbox.event AS e
    WHERE
        e.state = 'done'
        AND e.source = %(source)s
        AND e.topic ~ %(topics)s
        AND e.received_at < %(before)s
        AND e.done_at < %(before)s
        AND e.id > %(after)s
        AND EXISTS (
            SELECT FROM {archive} AS a
            WHERE a.source = e.source AND a.event_id = e.event_id
        )
        AND NOT EXISTS (
            SELECT FROM inbox.duplicate AS d
            WHERE d.event = e.id
        )
    ORDER BY e.id
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
),

gone AS (
    DELETE FROM inbox.event AS e USING old
    WHERE e.id = old.id RETURNING e.id
)

SELECT
    count(*),
    max(id)
FROM gone
