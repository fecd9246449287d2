-- How many rows of one drop were rejected for which reason, and its field warnings; how many other drops have rejected
-- rows. Parameters: drop_key.
SELECT
    coalesce(
        (
            SELECT jsonb_object_agg(counted.reason, counted.rejected)
            FROM (
                SELECT
                    r.reason,
                    count(*) AS rejected
                FROM staging.ic_rejected_row AS r
                WHERE r.drop_key = %(drop_key)s
                GROUP BY r.reason
            ) AS counted
        ),
        jsonb_build_object()
    ) AS by_reason,
    (
        SELECT count(*) FROM staging.ic_field_warning AS w
        WHERE w.drop_key = %(drop_key)s
    ) AS warnings,
    (
        SELECT coalesce(array_agg(d.drop_key ORDER BY d.drop_id DESC), cast(ARRAY[] AS text[]))
        FROM staging.ic_drop AS d
        WHERE d.rejected > 0 AND d.drop_key <> %(drop_key)s AND d.state = 'landed'
    ) AS other_drops
