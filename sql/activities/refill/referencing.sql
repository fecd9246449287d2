-- A table and those that refer to it, as written in SQL, itself first. Parameters: table.
SELECT named.relation::regclass::text AS relation
FROM (
    SELECT
        ('staging.' || quote_ident(%(table)s))::regclass::oid AS relation,
        0 AS place
    UNION
    SELECT
        k.conrelid,
        1
    FROM pg_constraint AS k
    WHERE k.confrelid = ('staging.' || quote_ident(%(table)s))::regclass
) AS named
ORDER BY named.place, named.relation
