-- Drops by key or file name, the newest first; all of them where no name is given. Parameters: name (text or NULL),
-- file_name (text or NULL).
SELECT
    drop_id,
    drop_key,
    file_name,
    state,
    rows_in,
    delimiter,
    columns,
    landed_at,
    error_message
FROM staging.ic_drop
WHERE %(name)s::text IS NULL OR drop_key = %(name)s OR file_name = %(file_name)s
ORDER BY (state = 'landed') DESC, drop_id DESC
