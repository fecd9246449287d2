-- Events that were set aside for an amount below 0. Parameters: now.
SELECT
    e.event_id AS subject,
    'it holds a negative amount' AS wrong
FROM inbox.event AS e
WHERE e.source = 'chargebee' AND e.state = 'set_aside' AND e.reason = 'negative_amount' AND e.received_at <= %(now)s
ORDER BY e.event_id
