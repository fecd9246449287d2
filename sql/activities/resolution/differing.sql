-- Communications whose references lead elsewhere than the master says.
-- Grain: one communication of the slice. Parameters: window_start, window_end.
SELECT
    c.id,
    contact.hubspot_contact_id,
    company.hubspot_company_id,
    deal.hubspot_deal_id
FROM staging.ic_communication_master AS c
LEFT JOIN staging.contacts_reconciliation AS contact ON contact.legacy_contact_id = c.person_id
LEFT JOIN staging.companies_reconciliation AS company ON company.legacy_company_id = c.company_id
LEFT JOIN staging.deals_reconciliation AS deal ON deal.legacy_deal_id = c.comm_opportunityid
WHERE
    c.comm_datetime >= %(window_start)s AND c.comm_datetime < %(window_end)s
    AND (c.hubspot_contact_id, c.hubspot_company_id, c.hubspot_deal_id)
    IS DISTINCT FROM (contact.hubspot_contact_id, company.hubspot_company_id, deal.hubspot_deal_id)
