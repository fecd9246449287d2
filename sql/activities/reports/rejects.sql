-- Rejected rows by drop, reason and column, the most frequent first, with the first lines of each; groups: how many
-- there are in all. One pass over the rejected rows, then each group's lines by the primary key.
-- Grain: drop, reason, column. Parameters: row_limit (groups), line_limit.
WITH counted AS (
    SELECT
        drop_key,
        reason,
        column_name,
        count(*) AS rejected,
        count(*) OVER () AS groups
    FROM staging.ic_rejected_row
    GROUP BY 1, 2, 3
    ORDER BY 4 DESC, 1, 2, 3
    LIMIT %(row_limit)s
)

SELECT
    c.drop_key AS drop,
    c.reason,
    coalesce(c.column_name, '') AS "column",
    c.rejected AS rows,
    first.lines || CASE WHEN c.rejected > %(line_limit)s THEN ' …' ELSE '' END AS lines,
    c.groups
FROM counted AS c
CROSS JOIN
    LATERAL (
        SELECT string_agg(few.line_number::text, ', ' ORDER BY few.line_number) AS lines
        FROM (
            SELECT r.line_number
            FROM staging.ic_rejected_row AS r
            WHERE
                r.drop_key = c.drop_key
                AND r.reason = c.reason
                AND r.column_name IS NOT DISTINCT FROM c.column_name
            ORDER BY r.line_number
            LIMIT %(line_limit)s
        ) AS few
    ) AS first
ORDER BY c.rejected DESC, c.drop_key ASC, c.reason ASC, c.column_name ASC
