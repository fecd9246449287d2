-- Writes a portal's request budget for one kind of request, or makes the row anew. Times are Unix seconds (0: never).
-- Parameters: portal_id, kind, and the columns.
INSERT INTO hubspot.rate_budget (
    portal_id, kind, rps, next_at, slots, portal_rps, slow_rps, daily_remaining,
    portal_rps_seen_at, slow_until, daily_seen_at, daily_until
)
VALUES (
    %(portal_id)s,
    %(kind)s,
    %(rps)s,
    %(next_at)s,
    %(slots)s,
    %(portal_rps)s,
    %(slow_rps)s,
    %(daily_remaining)s,
    to_timestamp(nullif(%(portal_rps_seen_at)s::double precision, 0)),
    to_timestamp(nullif(%(slow_until)s::double precision, 0)),
    to_timestamp(nullif(%(daily_seen_at)s::double precision, 0)),
    to_timestamp(nullif(%(daily_until)s::double precision, 0))
)
ON CONFLICT (portal_id, kind) DO UPDATE SET
    rps = excluded.rps,
    next_at = excluded.next_at,
    slots = excluded.slots,
    portal_rps = excluded.portal_rps,
    slow_rps = excluded.slow_rps,
    daily_remaining = excluded.daily_remaining,
    portal_rps_seen_at = excluded.portal_rps_seen_at,
    slow_until = excluded.slow_until,
    daily_seen_at = excluded.daily_seen_at,
    daily_until = excluded.daily_until
