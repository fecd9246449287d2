-- Records what a look into a file of the drop folder found, or what became of it. What has landed stays so.
-- Parameters: file_name, identity, drop_key, refused, is_settled.
INSERT INTO staging.ic_drop_file (file_name, identity, drop_key, refused, is_settled)
VALUES (%(file_name)s, %(identity)s, %(drop_key)s, %(refused)s, %(is_settled)s)
ON CONFLICT (file_name, identity) DO UPDATE
    SET
        drop_key = coalesce(excluded.drop_key, ic_drop_file.drop_key),
        refused = excluded.refused,
        is_settled = excluded.is_settled OR ic_drop_file.is_settled,
        looked_at = clock_timestamp()
