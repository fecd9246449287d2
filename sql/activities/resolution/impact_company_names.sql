-- What the CRM called these companies, where the reconciliation table has no name. One pass over the master.
-- Grain: one legacy id. Parameters: legacy_ids (bigint[]).
SELECT
    named.company_id,
    max(named.company_name) AS company_name
FROM (
    SELECT
        company_id,
        company_name,
        hubspot_company_id
    FROM staging.ic_communication_master
    UNION ALL
    SELECT
        company_id,
        company_name,
        hubspot_company_id
    FROM staging.ic_communication_party
) AS named
WHERE
    named.company_id = any(%(legacy_ids)s::bigint[])
    AND named.hubspot_company_id IS NULL
    AND named.company_name IS NOT NULL
GROUP BY named.company_id
