-- Which of these columns (schema.table.column) a validated constraint of the database speaks of, NOT NULL included.
-- Parameters: columns.
SELECT wanted.name
FROM unnest(%(columns)s::text[]) AS wanted (name)
INNER JOIN pg_attribute AS a
    ON
        a.attrelid = to_regclass(split_part(wanted.name, '.', 1) || '.' || split_part(wanted.name, '.', 2))
        AND a.attname = split_part(wanted.name, '.', 3)
WHERE
    a.attnotnull
    OR EXISTS (
        SELECT 1
        FROM pg_constraint AS c
        WHERE c.conrelid = a.attrelid AND c.convalidated AND a.attnum = any(c.conkey)
    )
