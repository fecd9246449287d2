-- What HubSpot told about its limits, or made us do, gets the time until which it counts. Rates that were stored
-- without one are forgotten: a single hostile reply could have written them, and the next one tells the rate again.
ALTER TABLE hubspot.rate_budget
ADD COLUMN portal_rps_seen_at timestamptz,
ADD COLUMN slow_rps double precision,
ADD COLUMN slow_until timestamptz,
ADD COLUMN daily_until timestamptz;

UPDATE hubspot.rate_budget SET portal_rps = NULL, daily_remaining = NULL, daily_seen_at = NULL;
