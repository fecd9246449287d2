-- Writes the answers that the references have by now.
-- Grain: one communication of the slice. Parameters: those of {differing} (resolution/differing.sql).
UPDATE staging.ic_communication_master AS m
SET
    hubspot_contact_id = found.hubspot_contact_id,
    hubspot_company_id = found.hubspot_company_id,
    hubspot_deal_id = found.hubspot_deal_id,
    is_orphaned
    = num_nonnulls(found.hubspot_contact_id, found.hubspot_company_id, found.hubspot_deal_id) = 0,
    last_updated = now()
FROM (
    {differing}
) AS found
WHERE m.id = found.id
