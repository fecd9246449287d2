-- Removes what has been done: rows whose version is still the one that was seen. One that somebody is waking at this
-- moment stays, and nobody waits for anybody. {key}: the column of the key. Parameters: keys, versions.
WITH done AS (
    SELECT w.ctid
    FROM {waiting} AS w
    INNER JOIN unnest(%(keys)s::text[], %(versions)s::bigint[]) AS seen (key, version)
        ON w.{key} = seen.key AND w.version = seen.version
    FOR UPDATE OF w SKIP LOCKED
)

DELETE FROM {waiting} AS w
USING done
WHERE w.ctid = done.ctid
