-- Whether anything waits for a flow, of one source. Parameters: source, topics (a regular expression). {ready}: the
-- flow's condition on e.
SELECT
    EXISTS (
        SELECT FROM inbox.event AS e
        WHERE e.state = 'new' AND e.source = %(source)s AND e.topic ~ %(topics)s AND ({ready})
    )
    OR EXISTS (
        SELECT FROM inbox.duplicate AS d
        INNER JOIN inbox.event AS e ON d.event = e.id
        WHERE
            d.state = 'new'
            AND e.source = %(source)s
            AND (e.topic ~ %(topics)s OR d.topic ~ %(topics)s)
    )
    OR EXISTS (
        SELECT FROM inbox.event AS e
        WHERE
            e.state = 'unknown_topic'
            AND e.reason IS NULL
            AND e.source = %(source)s
            AND e.topic ~ %(topics)s
    )
