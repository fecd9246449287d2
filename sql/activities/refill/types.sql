-- The type of each column of a table, as written in SQL. Parameters: table.
SELECT
    attname,
    format_type(atttypid, atttypmod) AS written
FROM pg_attribute
WHERE attrelid = ('staging.' || quote_ident(%(table)s))::regclass AND attnum > 0 AND NOT attisdropped
