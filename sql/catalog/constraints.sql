-- Foreign keys and checks of some schemas. Grain: one constraint. definition: PostgreSQL's own words; the columns are
-- in the order of the constraint. Parameter: schemas.
SELECT
    k.contype = 'f' AS is_reference,
    n.nspname AS schema_name,
    c.relname AS table_name,
    (
        SELECT array_agg(a.attname::text ORDER BY own.place)
        FROM unnest(k.conkey) WITH ORDINALITY AS own (attnum, place)
        INNER JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND own.attnum = a.attnum
    ) AS columns,
    fn.nspname AS target_schema,
    f.relname AS target_table,
    (
        SELECT array_agg(a.attname::text ORDER BY other.place)
        FROM unnest(k.confkey) WITH ORDINALITY AS other (attnum, place)
        INNER JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND other.attnum = a.attnum
    ) AS target_columns,
    pg_get_constraintdef(k.oid) AS definition
FROM pg_constraint AS k
INNER JOIN pg_class AS c ON k.conrelid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
LEFT JOIN pg_class AS f ON k.confrelid = f.oid
LEFT JOIN pg_namespace AS fn ON f.relnamespace = fn.oid
WHERE n.nspname = any(%(schemas)s) AND k.contype IN ('f', 'c')
ORDER BY n.nspname DESC, c.relname, k.conkey, k.conname
