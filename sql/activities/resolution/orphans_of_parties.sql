-- A communication with several people is an orphan only when none of all leads to a HubSpot record. Grain: one
-- communication with parties. Parameters: those of {slice}, a condition on m.
UPDATE staging.ic_communication_master AS m
SET is_orphaned = found.is_orphaned, last_updated = now()
FROM (
    SELECT
        m.id,
        num_nonnulls(m.hubspot_contact_id, m.hubspot_company_id, m.hubspot_deal_id) = 0
        AND bool_and(num_nonnulls(p.hubspot_contact_id, p.hubspot_company_id) = 0) AS is_orphaned
    FROM staging.ic_communication_party AS p
    INNER JOIN staging.ic_communication_master AS m ON m.id = p.ic_communication_master_id
    WHERE {slice}
    GROUP BY m.id
) AS found
WHERE m.id = found.id AND m.is_orphaned <> found.is_orphaned
