-- Drops of which something stands that were read under other settings than these; the first month is left out, since it
-- changes no value, and so is the column map. Parameters: reading.
SELECT d.drop_key
FROM staging.ic_drop AS d
WHERE
    d.state = 'landed'
    AND d.rows_in > d.rejected
    AND regexp_replace(d.reading, ' (IC_PARTITIONS_START|columns)=.*$', '') <> %(reading)s
    AND EXISTS (
        SELECT 1 FROM staging.ic_communication_landing AS l
        WHERE l.drop_id = d.drop_id AND l.is_current
    )
ORDER BY d.drop_id ASC;
