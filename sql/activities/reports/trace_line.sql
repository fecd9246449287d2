-- The last row of a drop that starts on the line or before it, and the first that starts after it: landed, rejected, or
-- both (stale and superseded rows). Looks up by the two primary keys. Parameters: drop_id, drop_key, line.
WITH starts AS (
    (
        SELECT l.line_number
        FROM staging.ic_communication_landing AS l
        WHERE l.drop_id = %(drop_id)s AND l.line_number <= %(line)s
        ORDER BY l.line_number DESC
        LIMIT 1
    )
    UNION ALL
    (
        SELECT r.line_number
        FROM staging.ic_rejected_row AS r
        WHERE r.drop_key = %(drop_key)s AND r.line_number <= %(line)s
        ORDER BY r.line_number DESC
        LIMIT 1
    )
),

follows AS (
    (
        SELECT l.line_number
        FROM staging.ic_communication_landing AS l
        WHERE l.drop_id = %(drop_id)s AND l.line_number > %(line)s
        ORDER BY l.line_number
        LIMIT 1
    )
    UNION ALL
    (
        SELECT r.line_number
        FROM staging.ic_rejected_row AS r
        WHERE r.drop_key = %(drop_key)s AND r.line_number > %(line)s
        ORDER BY r.line_number
        LIMIT 1
    )
)

SELECT
    (SELECT max(starts.line_number) FROM starts) AS line_number,
    (SELECT min(follows.line_number) FROM follows) AS next_line
