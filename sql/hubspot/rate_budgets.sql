-- What each portal's request budget says now; what has expired is NULL. Grain: one row per portal and kind of request.
-- Parameters: rps_seconds and daily_seconds, for how long what HubSpot told is believed; longest_block, in seconds.
SELECT
    portal_id,
    kind,
    rps,
    CASE WHEN now() - portal_rps_seen_at < %(rps_seconds)s * interval '1 second' THEN portal_rps END AS portal_rps,
    portal_rps_seen_at,
    CASE WHEN slow_until > now() THEN slow_rps END AS slow_rps,
    slow_until,
    CASE
        WHEN
            next_at BETWEEN extract(EPOCH FROM now()) + 1 AND extract(EPOCH FROM now()) + %(longest_block)s
            THEN to_timestamp(next_at)
    END AS blocked_until,
    CASE
        WHEN now() - daily_seen_at < %(daily_seconds)s * interval '1 second' AND daily_until > now()
            THEN daily_remaining
    END AS daily_remaining,
    daily_seen_at
FROM hubspot.rate_budget
ORDER BY portal_id, kind
