-- Every column of the tables and views of some schemas, as the catalog has it. Grain: one column. key_position: its
-- place in the primary key. is_unique: it alone is the primary key or a unique key. Parameter: schemas.
SELECT
    n.nspname AS schema_name,
    c.relname AS table_name,
    c.relkind IN ('v', 'm') AS is_view,
    obj_description(c.oid, 'pg_class') AS table_comment,
    a.attname AS column_name,
    format_type(a.atttypid, a.atttypmod) AS column_type,
    NOT a.attnotnull AS is_nullable,
    array_position(p.conkey, a.attnum) AS key_position,
    (
        SELECT count(*) > 0
        FROM pg_constraint AS u
        WHERE u.conrelid = c.oid AND u.contype IN ('p', 'u') AND u.conkey = ARRAY[a.attnum]
    ) AS is_unique,
    col_description(c.oid, a.attnum) AS column_comment
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_attribute AS a ON c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_constraint AS p ON c.oid = p.conrelid AND p.contype = 'p'
WHERE n.nspname = any(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm')
ORDER BY n.nspname DESC, c.relname, a.attnum
