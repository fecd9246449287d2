-- Gives the events of the batch that are not plainly done the state that the flow found. An event that was set aside
-- lets another content of its id, if there is one, be looked at again.
-- No parameters.
WITH aside AS (
    UPDATE inbox.event AS e
    SET
        state = b.state,
        reason = left(b.reason, 500),
        done_at = CASE b.state WHEN 'done' THEN e.done_at END
    FROM pg_temp.ic_batch AS b
    WHERE e.id = b.id AND (b.state <> 'done' OR b.reason IS NOT NULL)
    RETURNING e.id, e.state
)

UPDATE inbox.duplicate AS d SET state = 'new'
FROM aside
WHERE d.event = aside.id AND aside.state = 'set_aside' AND d.state = 'kept'
