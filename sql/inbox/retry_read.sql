-- Gives an event the envelope that is read of it now; where another event has its id it stays aside.
-- Parameters: id, source, topic, event_id, occurred_at, body, reason (NULL: it can be taken).
UPDATE inbox.event AS e
SET
    topic = %(topic)s,
    event_id = CASE WHEN is_known THEN e.event_id ELSE %(event_id)s END,
    occurred_at = %(occurred_at)s,
    body = %(body)s::jsonb,
    reason = CASE WHEN is_known THEN 'known_id' ELSE coalesce(%(reason)s, e.reason) END
FROM (
    SELECT
        exists(
            SELECT FROM inbox.event AS other
            WHERE other.source = %(source)s AND other.event_id = %(event_id)s AND other.id <> %(id)s
        ) AS is_known
) AS found
WHERE e.id = %(id)s
RETURNING is_known
