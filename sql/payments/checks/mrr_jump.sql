-- Companies whose revenue moved by more than half of it within a day. Parameters: now.
SELECT
    m.company_key AS subject,
    'it went from '
    || (array_agg(m.before ORDER BY m.at ASC))[1]
    || ' to '
    || (array_agg(m.after ORDER BY m.at DESC))[1]
        AS wrong
FROM payments.mrr_movement AS m
WHERE m.at > %(now)s::timestamptz - interval '24 hours' AND m.at <= %(now)s
GROUP BY m.company_key
HAVING
    (array_agg(m.before ORDER BY m.at ASC))[1] > 0
    AND abs((array_agg(m.after ORDER BY m.at DESC))[1] - (array_agg(m.before ORDER BY m.at ASC))[1])
    > 0.5 * (array_agg(m.before ORDER BY m.at ASC))[1]
ORDER BY m.company_key
