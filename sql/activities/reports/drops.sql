-- The newest landed or refused drops, oldest of them first. Parameters: row_limit.
SELECT
    d.drop_key AS drop,
    d.state,
    d.rows_in,
    d.inserted,
    d.updated,
    d.unchanged,
    d.joined,
    d.rejected,
    coalesce(w.warnings, 0) AS field_warnings,
    d.landed_at::date AS landed_on,
    concat(d.encoding, ' (' || nullif(array_to_string(d.words, ', '), '') || ')') AS read_as,
    coalesce(d.error_message, '') AS refused_for
FROM (
    SELECT * FROM staging.ic_drop
    ORDER BY drop_id DESC
    LIMIT %(row_limit)s
) AS d
LEFT JOIN (
    SELECT
        drop_key,
        count(*) AS warnings
    FROM staging.ic_field_warning
    GROUP BY drop_key
) AS w ON w.drop_key = d.drop_key
ORDER BY d.drop_id
