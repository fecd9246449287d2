-- Takes back 0013_rate_budget_up.sql.
ALTER TABLE hubspot.rate_budget
DROP COLUMN portal_rps_seen_at,
DROP COLUMN slow_rps,
DROP COLUMN slow_until,
DROP COLUMN daily_until;
