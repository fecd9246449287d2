-- Takes the lock of every month that something is known of, in their order. Parameters: key (the number of the locks of
-- months); first and beyond, the window's bounds, NULL for none.
SELECT pg_advisory_xact_lock(%(key)s, known.number)
FROM (
    SELECT DISTINCT extract(YEAR FROM m.comm_month)::integer * 12 + extract(MONTH FROM m.comm_month)::integer AS number
    FROM (
        SELECT latest.comm_month FROM staging.ic_month AS latest
        UNION ALL
        SELECT done.comm_month FROM staging.ic_month_stage AS done
    ) AS m
    WHERE
        (%(first)s::date IS NULL OR m.comm_month >= %(first)s)
        AND (%(beyond)s::date IS NULL OR m.comm_month < %(beyond)s)
    ORDER BY 1
) AS known
