-- A portal's request budget for one kind of request, on the database's clock, times in Unix seconds (0: never).
-- Grain: one row, whether the portal has one or not (rps is NULL then). Parameters: portal_id, kind.
SELECT
    extract(EPOCH FROM clock_timestamp())::double precision AS now,
    b.rps,
    b.next_at,
    b.slots,
    b.portal_rps,
    b.slow_rps,
    b.daily_remaining,
    coalesce(extract(EPOCH FROM b.portal_rps_seen_at)::double precision, 0) AS portal_rps_seen_at,
    coalesce(extract(EPOCH FROM b.slow_until)::double precision, 0) AS slow_until,
    coalesce(extract(EPOCH FROM b.daily_seen_at)::double precision, 0) AS daily_seen_at,
    coalesce(extract(EPOCH FROM b.daily_until)::double precision, 0) AS daily_until
FROM (SELECT %(portal_id)s::bigint AS portal_id) AS one
LEFT JOIN hubspot.rate_budget AS b ON one.portal_id = b.portal_id AND b.kind = %(kind)s
