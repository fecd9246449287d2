-- Marks as done what waits for a flow, of one source, and notes it in the batch. In the transaction of what the flow
-- does with it: either both stand or neither.
-- Parameters: source, topics (a regular expression), most. {ready}: the flow's condition on e.
WITH waiting AS (
    SELECT e.ctid AS place
    FROM inbox.event AS e
    WHERE
        e.state = 'new'
        AND e.source = %(source)s
        AND e.topic ~ %(topics)s
        AND ({ready})
    -- As event_new has it. By the number alone the primary key would do as well, with all that was ever done.
    ORDER BY e.source, e.id + 0
    LIMIT %(most)s
),

taken AS (
    UPDATE inbox.event AS e SET state = 'done', reason = NULL, done_at = clock_timestamp()
    WHERE
        e.state = 'new'
        -- By their places: a join by number would look each of them up again.
        AND e.ctid = ANY((SELECT array_agg(waiting.place) FROM waiting)::tid[]) -- noqa: CP03
    RETURNING e.id
)

INSERT INTO pg_temp.ic_batch (id) SELECT id FROM taken
