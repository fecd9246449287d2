-- Whether this role may drop and build the keys of a table and of those that refer to it. Parameters: table.
SELECT bool_and(pg_has_role(c.relowner, 'USAGE')) AS is_ours
FROM pg_class AS c
WHERE
    c.oid = ('staging.' || quote_ident(%(table)s))::regclass
    OR c.oid IN (
        SELECT k.conrelid FROM pg_constraint AS k
        WHERE k.confrelid = ('staging.' || quote_ident(%(table)s))::regclass
    )
