-- A figure over all months by item. Parameters: source, its stage, figure, ready (text: a stage whose months alone
-- count; landing for those in which the master shows what landed; NULL for all); what was counted just now and is
-- not kept: fresh (date[], its months), and arrays side by side, figures, items, months, failing, checked.
SELECT
    f.item,
    sum(f.failing)::bigint AS failing,
    sum(f.checked)::bigint AS checked
FROM (
    SELECT
        kept.figure,
        kept.item,
        kept.comm_month,
        kept.failing,
        kept.checked
    FROM staging.ic_figure AS kept
    WHERE
        kept.source = %(source)s
        AND kept.comm_month <> all(%(fresh)s::date[])
        -- Not of months that were rolled back.
        AND EXISTS (
            SELECT 1 FROM staging.ic_month_stage AS done
            WHERE done.comm_month = kept.comm_month AND done.stage = %(stage)s
        )
    UNION ALL
    SELECT * -- noqa: AM04
    FROM unnest(
        %(figures)s::text[], %(items)s::text[], %(months)s::date[], %(failing)s::bigint[], %(checked)s::bigint[]
    ) AS counted (figure, item, comm_month, failing, checked)
) AS f
WHERE
    f.figure = %(figure)s
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
