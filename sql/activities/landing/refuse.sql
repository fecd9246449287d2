-- A drop that was refused while its rows were read. One that has landed before keeps its record.
-- Parameters: those of register.sql and error_message.
INSERT INTO staging.ic_drop (
    drop_key, file_name, content_sha256, byte_size, encoding, delimiter, missing_columns, unknown_columns,
    words, reading, state,
    error_message
) VALUES (
    %(drop_key)s, %(file_name)s, %(content_sha256)s, %(byte_size)s, %(encoding)s, %(delimiter)s,
    %(missing_columns)s, %(unknown_columns)s, %(words)s, %(reading)s, 'refused', %(error_message)s
)
ON CONFLICT (drop_key) DO UPDATE
    SET error_message = excluded.error_message, landed_at = now()
    WHERE ic_drop.state = 'refused'
