-- Months that some stage has not brought up to their latest change. Parameters: stages (text[]), first_month and before
-- (the month after the last), NULL for all.
SELECT
    m.comm_month,
    m.change_number,
    m.cause
FROM staging.ic_month AS m
WHERE
    (%(first_month)s::date IS NULL OR m.comm_month >= %(first_month)s)
    AND (%(before)s::date IS NULL OR m.comm_month < %(before)s)
    AND EXISTS (
        SELECT 1
        FROM unnest(%(stages)s::text[]) AS stage (name)
        LEFT JOIN staging.ic_month_stage AS done ON done.comm_month = m.comm_month AND done.stage = stage.name
        WHERE done.change_number IS NULL OR done.change_number < m.change_number
    )
ORDER BY m.comm_month
