-- The first event that a flow would find, of one source; NULL: nothing waits. Parameters: source, topics (a regular
-- expression). {ready}: the flow's condition on e.
SELECT
    least(
        (
            SELECT e.id
            FROM inbox.event AS e
            WHERE e.state = 'new' AND e.source = %(source)s AND e.topic ~ %(topics)s AND ({ready})
            ORDER BY e.source, e.id + 0
            LIMIT 1
        ),
        (
            SELECT min(e.id)
            FROM inbox.duplicate AS d
            INNER JOIN inbox.event AS e ON d.event = e.id
            WHERE
                d.state = 'new'
                AND e.source = %(source)s
                AND (e.topic ~ %(topics)s OR d.topic ~ %(topics)s)
        ),
        (
            SELECT e.id
            FROM inbox.event AS e
            WHERE
                e.state = 'unknown_topic'
                AND e.reason IS NULL
                AND e.source = %(source)s
                AND e.topic ~ %(topics)s
            ORDER BY e.id
            LIMIT 1
        )
    )
