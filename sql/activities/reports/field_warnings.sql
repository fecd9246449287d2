-- Field warnings by drop, column and reason, the most frequent first, with the first lines of each and one of the
-- values; groups: how many there are in all. One pass over the warnings, then each group's lines by the primary key.
-- Grain: drop, column, reason. Parameters: row_limit (groups), line_limit.
WITH counted AS (
    SELECT
        drop_key,
        column_name,
        reason,
        count(*) AS warnings,
        count(*) OVER () AS groups
    FROM staging.ic_field_warning
    GROUP BY 1, 2, 3
    ORDER BY 4 DESC, 1, 2, 3
    LIMIT %(row_limit)s
)

SELECT
    c.drop_key AS drop,
    c.column_name AS "column",
    c.reason,
    c.warnings AS rows,
    first.lines || CASE WHEN c.warnings > %(line_limit)s THEN ' …' ELSE '' END AS lines,
    left(first.raw_value, 200) AS first_value,
    c.groups
FROM counted AS c
CROSS JOIN
    LATERAL (
        SELECT
            string_agg(few.line_number::text, ', ' ORDER BY few.line_number) AS lines,
            (array_agg(few.raw_value ORDER BY few.line_number))[1] AS raw_value
        FROM (
            SELECT
                w.line_number,
                w.raw_value
            FROM staging.ic_field_warning AS w
            WHERE w.drop_key = c.drop_key AND w.column_name = c.column_name AND w.reason = c.reason
            ORDER BY w.line_number
            LIMIT %(line_limit)s
        ) AS few
    ) AS first
ORDER BY c.warnings DESC, c.drop_key ASC, c.column_name ASC, c.reason ASC
