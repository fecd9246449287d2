-- Every landed or refused drop, oldest first. No parameters.
SELECT
    d.drop_key AS drop,
    d.state,
    d.rows_in,
    d.inserted,
    d.updated,
    d.unchanged,
    d.rejected,
    coalesce(w.warnings, 0) AS field_warnings,
    d.landed_at::date AS landed_on,
    d.error_message
FROM staging.ic_drop AS d
LEFT JOIN (
    SELECT
        drop_key,
        count(*) AS warnings
    FROM staging.ic_field_warning
    GROUP BY drop_key
) AS w ON w.drop_key = d.drop_key
ORDER BY d.drop_id
