-- The figures of the four gates of the resolution as they are and as they would be: every reference looked up again in
-- the three tables, with incoming_match in place of what one of them says of its ids. One pass over resolved months.
-- Grain: one gate. Parameters: entity (contacts, companies, deals); reads incoming_match, writes nothing.
WITH incoming AS (
    SELECT DISTINCT
        legacy_id,
        hubspot_id
    FROM incoming_match
),

contact AS (
    SELECT
        incoming.legacy_id,
        incoming.hubspot_id
    FROM incoming
    WHERE %(entity)s = 'contacts'
    UNION ALL
    SELECT
        known.legacy_contact_id,
        known.hubspot_contact_id
    FROM staging.contacts_reconciliation AS known
    LEFT JOIN incoming ON %(entity)s = 'contacts' AND incoming.legacy_id = known.legacy_contact_id
    WHERE incoming.legacy_id IS NULL
),

company AS (
    SELECT
        incoming.legacy_id,
        incoming.hubspot_id
    FROM incoming
    WHERE %(entity)s = 'companies'
    UNION ALL
    SELECT
        known.legacy_company_id,
        known.hubspot_company_id
    FROM staging.companies_reconciliation AS known
    LEFT JOIN incoming ON %(entity)s = 'companies' AND incoming.legacy_id = known.legacy_company_id
    WHERE incoming.legacy_id IS NULL
),

deal AS (
    SELECT
        incoming.legacy_id,
        incoming.hubspot_id
    FROM incoming
    WHERE %(entity)s = 'deals'
    UNION ALL
    SELECT
        known.legacy_deal_id,
        known.hubspot_deal_id
    FROM staging.deals_reconciliation AS known
    LEFT JOIN incoming ON %(entity)s = 'deals' AND incoming.legacy_id = known.legacy_deal_id
    WHERE incoming.legacy_id IS NULL
),

-- References of further people, each once, and whether any of a communication leads to a record then.
further AS (
    SELECT
        p.ic_communication_master_id,
        count(*) FILTER (WHERE p.entity_type = 'contact') AS contacts,
        count(*) FILTER (WHERE p.entity_type = 'company') AS companies,
        count(*) FILTER (WHERE p.entity_type = 'contact' AND p.hubspot_id IS NULL) AS contacts_now,
        count(*) FILTER (WHERE p.entity_type = 'company' AND p.hubspot_id IS NULL) AS companies_now,
        count(*) FILTER (WHERE p.entity_type = 'contact' AND contact.hubspot_id IS NULL) AS contacts_then,
        count(*) FILTER (WHERE p.entity_type = 'company' AND company.hubspot_id IS NULL) AS companies_then,
        count(*) FILTER (WHERE num_nonnulls(contact.hubspot_id, company.hubspot_id) > 0) AS resolved_then
    FROM staging.v_ic_party_reference AS p
    LEFT JOIN contact ON p.entity_type = 'contact' AND contact.legacy_id = p.legacy_id
    LEFT JOIN company ON p.entity_type = 'company' AND company.legacy_id = p.legacy_id
    GROUP BY p.ic_communication_master_id
),

counted AS (
    SELECT
        count(*) AS communications,
        count(m.person_id) + coalesce(sum(further.contacts), 0)::bigint AS contacts,
        count(m.company_id) + coalesce(sum(further.companies), 0)::bigint AS companies,
        count(m.comm_opportunityid) AS deals,
        count(m.person_id) FILTER (WHERE m.hubspot_contact_id IS NULL)
        + coalesce(sum(further.contacts_now), 0)::bigint AS contacts_now,
        count(m.company_id) FILTER (WHERE m.hubspot_company_id IS NULL)
        + coalesce(sum(further.companies_now), 0)::bigint AS companies_now,
        count(m.comm_opportunityid) FILTER (WHERE m.hubspot_deal_id IS NULL) AS deals_now,
        count(*) FILTER (WHERE m.is_orphaned) AS orphans_now,
        count(m.person_id) FILTER (WHERE contact.hubspot_id IS NULL)
        + coalesce(sum(further.contacts_then), 0)::bigint AS contacts_then,
        count(m.company_id) FILTER (WHERE company.hubspot_id IS NULL)
        + coalesce(sum(further.companies_then), 0)::bigint AS companies_then,
        count(m.comm_opportunityid) FILTER (WHERE deal.hubspot_id IS NULL) AS deals_then,
        count(*) FILTER (
            WHERE
            num_nonnulls(contact.hubspot_id, company.hubspot_id, deal.hubspot_id) = 0
            AND coalesce(further.resolved_then, 0) = 0
        ) AS orphans_then
    FROM staging.ic_communication_master AS m
    LEFT JOIN contact ON contact.legacy_id = m.person_id
    LEFT JOIN company ON company.legacy_id = m.company_id
    LEFT JOIN deal ON deal.legacy_id = m.comm_opportunityid
    LEFT JOIN further ON further.ic_communication_master_id = m.id
    WHERE date_trunc('month', m.comm_datetime) IN (
        SELECT window_start FROM staging.v_ic_month_ready
        WHERE stage = 'resolved'
    )
)

SELECT
    gate.name,
    gate.checked,
    gate.failing_now,
    gate.failing_then
FROM counted
CROSS JOIN LATERAL (
    VALUES
    ('contacts_resolved', contacts, contacts_now, contacts_then),
    ('companies_resolved', companies, companies_now, companies_then),
    ('deals_resolved', deals, deals_now, deals_then),
    ('orphans', communications, orphans_now, orphans_then)
) AS gate (name, checked, failing_now, failing_then)
