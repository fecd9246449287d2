-- What stands in others' schemas and rests on what stands in ours, and on what. Parameters: schemas.
WITH ours AS (
    SELECT oid FROM pg_namespace
    WHERE nspname = any(%(schemas)s)
),

gone AS (
    SELECT
        'pg_class'::regclass AS classid,
        c.oid AS objid
    FROM pg_class AS c
    WHERE c.relnamespace IN (SELECT ours.oid FROM ours)
    UNION ALL
    SELECT
        'pg_proc'::regclass AS classid,
        p.oid AS objid
    FROM pg_proc AS p
    WHERE p.pronamespace IN (SELECT ours.oid FROM ours)
    UNION ALL
    SELECT
        'pg_type'::regclass AS classid,
        t.oid AS objid
    FROM pg_type AS t
    WHERE t.typnamespace IN (SELECT ours.oid FROM ours)
)

SELECT DISTINCT
    pg_describe_object(d.refclassid, d.refobjid, 0) AS what,
    coalesce(pg_describe_object('pg_class'::regclass, c.oid, 0), pg_describe_object(d.classid, d.objid, 0)) AS dependent
FROM pg_depend AS d
INNER JOIN gone ON gone.classid = d.refclassid AND gone.objid = d.refobjid
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_constraint AS k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_attrdef AS a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
LEFT JOIN pg_trigger AS g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
LEFT JOIN pg_class AS c
    ON
        c.oid = coalesce(r.ev_class, k.conrelid, a.adrelid, g.tgrelid)
        OR (d.classid = 'pg_class'::regclass AND c.oid = d.objid)
LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
LEFT JOIN pg_type AS t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
WHERE
    d.deptype IN ('n', 'a')
    AND coalesce(c.relnamespace, p.pronamespace, t.typnamespace) NOT IN (SELECT ours.oid FROM ours)
ORDER BY dependent ASC, what ASC;
