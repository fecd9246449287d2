-- Writes the answers that the references of further people and companies have by now.
-- Grain: one party of a communication of the slice. Parameters: window_start, window_end.
UPDATE staging.ic_communication_party AS p
SET hubspot_contact_id = found.hubspot_contact_id, hubspot_company_id = found.hubspot_company_id
FROM (
    SELECT
        each.ic_communication_master_id,
        each.position,
        contact.hubspot_contact_id,
        company.hubspot_company_id
    FROM staging.ic_communication_party AS each
    INNER JOIN staging.ic_communication_master AS m ON m.id = each.ic_communication_master_id
    LEFT JOIN staging.contacts_reconciliation AS contact ON contact.legacy_contact_id = each.person_id
    LEFT JOIN staging.companies_reconciliation AS company ON company.legacy_company_id = each.company_id
    WHERE
        m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
        AND (each.hubspot_contact_id, each.hubspot_company_id)
        IS DISTINCT FROM (contact.hubspot_contact_id, company.hubspot_company_id)
) AS found
WHERE
    p.ic_communication_master_id = found.ic_communication_master_id
    AND p.position = found.position
