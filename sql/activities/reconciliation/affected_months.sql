-- Months with a communication that refers to one of the legacy ids in changed_match. Parameters: entity_type (contact,
-- company, deal); {reference}.
-- A scan on purpose: an index on each reference would cost every load more than this costs a reconciliation.
SELECT date_trunc('month', comm_datetime)::date AS comm_month
FROM staging.ic_communication_landing
WHERE is_current AND {reference} IN (SELECT changed.legacy_id FROM changed_match AS changed)
UNION
SELECT date_trunc('month', comm_datetime)::date AS comm_month
FROM staging.v_ic_party_reference
WHERE entity_type = %(entity_type)s AND legacy_id IN (SELECT changed.legacy_id FROM changed_match AS changed)
