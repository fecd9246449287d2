-- What the local HubSpot needs to know of each company that the reconciliation names. No parameters.
-- Through to_jsonb, since a reconciliation table that stood before us may lack the columns that are only for people.
SELECT DISTINCT ON (r.hubspot_company_id)
    r.hubspot_company_id,
    jsonb_strip_nulls(
        jsonb_build_object('legacy_company_id', r.legacy_company_id::text, 'name', to_jsonb(r) ->> 'company_name')
    ) AS properties
FROM staging.companies_reconciliation AS r
WHERE r.hubspot_company_id IS NOT NULL
ORDER BY r.hubspot_company_id, r.legacy_company_id
