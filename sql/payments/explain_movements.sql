-- The newest movements of a company up to a time, the oldest of them first. Parameters: company, at (NULL: all).
SELECT newest.*
FROM (
    SELECT
        m.at,
        m.kind,
        m.amount_usd,
        m.before,
        m.after,
        m.cause
    FROM payments.mrr_movement AS m
    WHERE m.company_key = %(company)s AND (%(at)s::timestamptz IS NULL OR m.at <= %(at)s)
    ORDER BY m.at DESC, m.kind ASC
    LIMIT 12
) AS newest
ORDER BY newest.at, newest.kind
