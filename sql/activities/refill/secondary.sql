-- The keys and indexes of a table, and the foreign keys of others on it, as statements that drop each and that make it
-- again. Foreign keys come first, since they rest on keys. Without partial indexes on columns that stay empty: nothing
-- goes into those, and to make one again reads the whole table. Parameters: table, unfilled (text[], those columns).
SELECT
    made.drop_statement,
    made.create_statement
FROM (
    SELECT
        format('ALTER TABLE %%s DROP CONSTRAINT %%I', k.conrelid::regclass, k.conname) AS drop_statement,
        format(
            'ALTER TABLE %%s ADD CONSTRAINT %%I %%s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)
        ) AS create_statement,
        CASE k.contype WHEN 'f' THEN 0 ELSE 1 END AS place,
        k.conname AS name
    FROM pg_constraint AS k
    WHERE
        (k.conrelid = ('staging.' || quote_ident(%(table)s))::regclass AND k.contype IN ('p', 'u', 'f'))
        OR k.confrelid = ('staging.' || quote_ident(%(table)s))::regclass
    UNION ALL
    SELECT
        format('DROP INDEX %%s', i.indexrelid::regclass),
        pg_get_indexdef(i.indexrelid),
        2,
        i.indexrelid::regclass::text
    FROM pg_index AS i
    WHERE
        i.indrelid = ('staging.' || quote_ident(%(table)s))::regclass
        AND NOT EXISTS (
            SELECT 1 FROM pg_constraint AS k
            WHERE k.conindid = i.indexrelid
        )
        AND NOT (
            i.indpred IS NOT NULL
            AND EXISTS (
                SELECT 1 FROM pg_attribute AS a
                WHERE a.attrelid = i.indrelid AND a.attnum = any(i.indkey) AND a.attname = any(%(unfilled)s::text[])
            )
        )
) AS made
ORDER BY made.place, made.name
