-- A figure over all months by item. Parameters: source, figure, ready (text: a stage whose months alone count; landing
-- for those in which the master shows what landed; NULL for all).
SELECT
    f.item,
    sum(f.failing)::bigint AS failing,
    sum(f.checked)::bigint AS checked
FROM staging.ic_figure AS f
WHERE
    f.source = %(source)s
    AND f.figure = %(figure)s
    AND (
        %(ready)s::text IS NULL
        OR f.comm_month IN (
            SELECT r.comm_month FROM staging.v_ic_month_ready AS r
            WHERE r.stage = %(ready)s
        )
        OR (
            %(ready)s = 'landing'
            AND f.comm_month IN (
                SELECT done.comm_month
                FROM staging.ic_month_stage AS done
                INNER JOIN staging.ic_month AS latest ON latest.comm_month = done.comm_month
                WHERE done.stage = 'master' AND done.change_number >= latest.change_number
            )
        )
    )
GROUP BY f.item
ORDER BY 2 DESC, 1
