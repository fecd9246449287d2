-- What keeps a table from being filled at once: taking its keys off would take away, set off or trip over what
-- somebody put on it. Grain: one obstacle, in words. Parameters: table.
WITH target AS (
    SELECT ('staging.' || quote_ident(%(table)s))::regclass::oid AS relation
),

reference AS (
    SELECT
        k.conname,
        k.conrelid
    FROM pg_constraint AS k
    INNER JOIN target AS t ON t.relation = k.confrelid
)

SELECT format('%%s belongs to another role', c.oid::regclass) AS obstacle
FROM pg_class AS c
WHERE
    c.oid IN (
        SELECT t.relation FROM target AS t
        UNION ALL
        SELECT r.conrelid FROM reference AS r
    )
    AND NOT pg_has_role(c.relowner, 'USAGE')
UNION ALL
SELECT format('the foreign key %%s of %%s', r.conname, r.conrelid::regclass)
FROM reference AS r
INNER JOIN pg_class AS c ON c.oid = r.conrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('staging', 'hubspot')
UNION ALL
SELECT format('the trigger %%s', g.tgname)
FROM pg_trigger AS g
INNER JOIN target AS t ON t.relation = g.tgrelid
WHERE NOT g.tgisinternal
UNION ALL
SELECT format('the rule %%s', w.rulename)
FROM pg_rewrite AS w
INNER JOIN target AS t ON t.relation = w.ev_class
UNION ALL
SELECT 'row level security'
FROM pg_class AS c
INNER JOIN target AS t ON t.relation = c.oid
WHERE c.relrowsecurity
UNION ALL
SELECT format('the publication %%s', p.pubname)
FROM pg_publication_tables AS p
WHERE p.schemaname = 'staging' AND p.tablename = %(table)s
UNION ALL
SELECT 'a table that inherits'
FROM pg_inherits AS h
INNER JOIN target AS t ON t.relation IN (h.inhparent, h.inhrelid)
UNION ALL
-- What is made again would lose the place, and the part in replication or CLUSTER, that somebody gave it.
SELECT format('what was set for the index %%s', c.oid::regclass)
FROM pg_index AS i
INNER JOIN target AS t ON t.relation = i.indrelid
INNER JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indisreplident OR i.indisclustered OR c.reltablespace <> 0
UNION ALL
-- Views that group by a key, above all.
SELECT format('what rests on the key %%s: %%s', k.conname, pg_describe_object(d.classid, d.objid, d.objsubid))
FROM pg_constraint AS k
INNER JOIN target AS t ON t.relation = k.conrelid
INNER JOIN pg_depend AS d ON d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid AND d.deptype = 'n'
WHERE k.contype IN ('p', 'u', 'f') AND d.classid <> 'pg_constraint'::regclass
