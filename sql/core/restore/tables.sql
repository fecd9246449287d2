-- The tables that stand in our schemas, in name order. Parameters: schemas.
SELECT
    n.nspname AS folder,
    c.relname AS name
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = any(%(schemas)s) AND c.relkind IN ('r', 'p')
ORDER BY n.nspname ASC, c.relname ASC;
