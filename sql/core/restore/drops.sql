-- The next statement that empties our schemas: all objects of one kind, and what rests on them in these schemas.
-- Run until there is none. Others' objects are looked for before (others_on_ours.sql). Parameters: schemas.
SELECT format('DROP %%s %%s CASCADE', gone.kind, string_agg(gone.name, ', ')) AS drop_statement
FROM (
    SELECT
        CASE c.relkind WHEN 'v' THEN 1 WHEN 'm' THEN 2 WHEN 'S' THEN 4 ELSE 3 END AS turn,
        CASE c.relkind
            WHEN 'v' THEN 'VIEW'
            WHEN 'm' THEN 'MATERIALIZED VIEW'
            WHEN 'S' THEN 'SEQUENCE'
            WHEN 'f' THEN 'FOREIGN TABLE'
            ELSE 'TABLE'
        END AS kind,
        c.oid::regclass::text AS name
    FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE
        n.nspname = any(%(schemas)s)
        AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        -- Those of columns go with their tables.
        AND NOT EXISTS (
            SELECT 1 FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
        )
    UNION ALL
    SELECT
        5 AS turn,
        'ROUTINE' AS kind,
        p.oid::regprocedure::text AS name
    FROM pg_proc AS p
    INNER JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = any(%(schemas)s)
    UNION ALL
    SELECT
        6 AS turn,
        CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END AS kind,
        t.oid::regtype::text AS name
    FROM pg_type AS t
    INNER JOIN pg_namespace AS n ON n.oid = t.typnamespace
    WHERE n.nspname = any(%(schemas)s) AND t.typtype IN ('d', 'e')
) AS gone
GROUP BY gone.turn, gone.kind
ORDER BY gone.turn ASC
LIMIT 1;
