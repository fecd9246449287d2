-- Months with a communication that refers to one of these legacy ids. Parameters: legacy_ids (bigint[]); entity_type
-- (contact, company, deal); {reference}.
-- A scan on purpose: an index on each reference would cost every load more than this costs a reconciliation.
SELECT date_trunc('month', comm_datetime)::date AS comm_month
FROM staging.ic_communication_landing
WHERE is_current AND {reference} = any(%(legacy_ids)s)
UNION
SELECT date_trunc('month', comm_datetime)::date AS comm_month
FROM staging.v_ic_party_reference
WHERE entity_type = %(entity_type)s AND legacy_id = any(%(legacy_ids)s)
