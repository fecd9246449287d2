-- The foreign keys between the tables of a schema. Parameters: schema_name.
SELECT
    c.relname AS table_name,
    pg_get_constraintdef(k.oid) AS definition
FROM pg_constraint AS k
INNER JOIN pg_class AS c ON k.conrelid = c.oid
INNER JOIN pg_class AS target ON k.confrelid = target.oid
WHERE
    k.contype = 'f'
    AND k.conparentid = 0
    AND NOT c.relispartition
    AND c.relnamespace = to_regnamespace(%(schema_name)s)
    AND target.relnamespace = c.relnamespace
ORDER BY c.relname, k.conname
