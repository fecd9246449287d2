-- What the local HubSpot needs to know of each deal that the reconciliation names. No parameters.
-- Through to_jsonb, since a reconciliation table that stood before us may lack the columns that are only for people.
SELECT DISTINCT ON (r.hubspot_deal_id)
    r.hubspot_deal_id,
    jsonb_strip_nulls(
        jsonb_build_object('legacy_deal_id', r.legacy_deal_id::text, 'dealname', to_jsonb(r) ->> 'deal_name')
    ) AS properties
FROM staging.deals_reconciliation AS r
WHERE r.hubspot_deal_id IS NOT NULL
ORDER BY r.hubspot_deal_id, r.legacy_deal_id
