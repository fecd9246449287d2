-- What is known of files of the drop folder as they are. Parameters: names and identities (text[], beside each other).
SELECT
    f.file_name,
    f.drop_key,
    f.refused,
    f.is_settled
FROM staging.ic_drop_file AS f
INNER JOIN unnest(%(names)s::text[], %(identities)s::text[]) AS found (file_name, identity)
    ON f.file_name = found.file_name AND f.identity = found.identity
