-- Months with a communication that refers to one of these legacy ids. Parameters: legacy_ids (bigint[]); {reference}.
-- A scan on purpose: an index on each reference would cost every load more than this costs a reconciliation.
SELECT DISTINCT date_trunc('month', comm_datetime)::date AS comm_month
FROM staging.ic_communication_landing
WHERE is_current AND {reference} = any(%(legacy_ids)s)
