-- The columns of the tables of a schema, in their order, and how each is filled. Parameters: schema_name.
SELECT
    c.relname AS table_name,
    a.attname AS column_name,
    a.attidentity <> '' AS is_identity,
    a.attgenerated <> '' AS is_generated
FROM pg_class AS c
INNER JOIN pg_attribute AS a ON c.oid = a.attrelid
WHERE
    c.relnamespace = to_regnamespace(%(schema_name)s)
    AND c.relkind IN ('r', 'p')
    AND NOT c.relispartition
    AND a.attnum > 0
    AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
