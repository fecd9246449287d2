-- What the CRM called these companies, where the reconciliation table has no name. One pass over the master.
-- Grain: one legacy id. Parameters: legacy_ids (bigint[]).
SELECT
    m.company_id,
    max(m.company_name) AS company_name
FROM staging.ic_communication_master AS m
WHERE
    m.company_id = any(%(legacy_ids)s::bigint[])
    AND m.hubspot_company_id IS NULL
    AND m.company_name IS NOT NULL
GROUP BY m.company_id
