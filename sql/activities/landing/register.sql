-- Parameters: drop_key, file_name, content_sha256, byte_size, encoding, delimiter, missing_columns, unknown_columns,
-- words, reading, columns.
INSERT INTO staging.ic_drop (
    drop_key, file_name, content_sha256, byte_size, encoding, delimiter, missing_columns, unknown_columns,
    words, reading, columns, state
) VALUES (
    %(drop_key)s, %(file_name)s, %(content_sha256)s, %(byte_size)s, %(encoding)s, %(delimiter)s,
    %(missing_columns)s, %(unknown_columns)s, %(words)s, %(reading)s, %(columns)s, 'landed'
)
RETURNING drop_id
