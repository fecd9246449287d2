-- Ids that could not be read and stay empty, by column, the most frequent first. Grain: column. Parameters: columns
-- (text[]).
SELECT
    w.column_name AS "column",
    count(*) AS fields
FROM staging.ic_field_warning AS w
WHERE w.reason = 'unreadable' AND w.column_name = any(%(columns)s::text[])
GROUP BY 1
ORDER BY 2 DESC, 1
