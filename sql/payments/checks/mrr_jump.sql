-- Companies whose revenue moved by more than half of it within a day, and all of them together. Parameters: now.
WITH moved AS (
    SELECT
        m.company_key,
        sum(m.amount_usd) FILTER (WHERE m.at <= %(now)s::timestamptz - interval '24 hours') AS before,
        sum(m.amount_usd) AS after
    FROM payments.mrr_movement AS m
    WHERE m.at <= %(now)s
    GROUP BY m.company_key
),

each_and_all AS (
    SELECT
        moved.company_key AS subject,
        moved.before,
        moved.after
    FROM moved
    UNION ALL
    SELECT
        'all companies' AS subject,
        sum(moved.before) AS before,
        sum(moved.after) AS after
    FROM moved
)

SELECT
    j.subject,
    'it went from ' || j.before || ' to ' || j.after AS wrong
FROM each_and_all AS j
WHERE j.before > 0 AND abs(j.after - j.before) > 0.5 * j.before
ORDER BY j.subject
