-- Forgets what HubSpot told about a portal's limits and the pauses that it asked for; when the last requests left is
-- kept. Parameters: portal_id, kind.
UPDATE hubspot.rate_budget
SET
    next_at = 0,
    portal_rps = NULL,
    portal_rps_seen_at = NULL,
    slow_rps = NULL,
    slow_until = NULL,
    daily_remaining = NULL,
    daily_seen_at = NULL,
    daily_until = NULL
WHERE portal_id = %(portal_id)s AND kind = %(kind)s
