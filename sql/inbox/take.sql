-- Marks as done what waits for a flow, of one source, and notes it in the batch. In the transaction of what the flow
-- does with it: either both stand or neither.
-- Parameters: source, topics (a regular expression), most. {ready}: the flow's condition on e.
WITH waiting AS (
    SELECT e.id
    FROM inbox.event AS e
    WHERE
        e.state = 'new'
        AND e.source = %(source)s
        AND e.topic ~ %(topics)s
        AND ({ready})
    ORDER BY e.id
    LIMIT %(most)s
),

taken AS (
    UPDATE inbox.event AS e SET state = 'done', reason = NULL, done_at = clock_timestamp()
    FROM waiting
    WHERE e.id = waiting.id AND e.state = 'new'
    RETURNING e.id
)

INSERT INTO pg_temp.ic_batch (id) SELECT id FROM taken
