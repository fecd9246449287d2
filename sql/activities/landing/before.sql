-- The drop that loaded this content, read as these settings say; one of which no row was loaded does not count.
-- Parameters: content_sha256, reading.
SELECT drop_key
FROM staging.ic_drop
WHERE
    content_sha256 = %(content_sha256)s
    AND state = 'landed'
    AND rows_in > rejected
    -- A drop of before it was recorded.
    AND coalesce(reading, %(reading)s) = %(reading)s
ORDER BY drop_id
LIMIT 1
