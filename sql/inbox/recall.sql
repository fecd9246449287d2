-- Events whose topic nobody knew when they came, and this flow knows now. One that a flow itself did not know has a
-- reason.
-- Parameters: source, topics (a regular expression).
UPDATE inbox.event AS e SET state = 'new'
WHERE
    e.state = 'unknown_topic'
    AND e.reason IS NULL
    AND e.source = %(source)s
    AND e.topic ~ %(topics)s
