-- What the master holds of the current version of each communication: typed columns as landed, the activity type by its
-- kind, the HubSpot ids looked up on the way (a rewrite afterwards costs more than the load).
-- Grain: one communication. {columns} are those of the drop, of l. Parameters: those of {slice}, a condition on l; as
-- arrays the columns of master/kinds.sql, types, actions, priorities, cases and activity_types: what reads a WITH query
-- is read on one core. Uses ic_communication_landing_datetime.
SELECT
    {columns},
    typed.derived_activity_type,
    typed.derived_activity_type = 'tasks' AS is_task_eligible,
    contact.hubspot_contact_id,
    company.hubspot_company_id,
    deal.hubspot_deal_id,
    num_nonnulls(contact.hubspot_contact_id, company.hubspot_company_id, deal.hubspot_deal_id) = 0 AS is_orphaned,
    d.drop_key AS source_drop,
    l.line_number AS source_line
FROM staging.ic_communication_landing AS l
INNER JOIN staging.ic_drop AS d ON d.drop_id = l.drop_id
-- Outer joins: the planner takes an inner one for a filter, hashes what is left of the rows instead of the few kinds,
-- and runs out of memory over millions.
LEFT JOIN
    unnest(
        %(types)s::text[], %(actions)s::text[], %(priorities)s::text[], %(cases)s::boolean[], %(activity_types)s::text[]
    ) AS kind (comm_type, comm_action, comm_priority, has_case, derived_activity_type)
    ON
        kind.comm_type = l.comm_type
        AND kind.comm_action = coalesce(l.comm_action, '')
        AND kind.comm_priority = coalesce(l.comm_priority, '')
        AND kind.has_case = (l.comm_caseid IS NOT NULL)
CROSS JOIN
    LATERAL (
        -- Of a kind that has landed since, or a rare one of very many.
        SELECT
            coalesce(
                kind.derived_activity_type,
                staging.classify_activity_type(l.comm_type, l.comm_priority, l.comm_caseid, l.comm_action)
            ) AS derived_activity_type
    ) AS typed
LEFT JOIN staging.contacts_reconciliation AS contact ON contact.legacy_contact_id = l.person_id
LEFT JOIN staging.companies_reconciliation AS company ON company.legacy_company_id = l.company_id
LEFT JOIN staging.deals_reconciliation AS deal ON deal.legacy_deal_id = l.comm_opportunityid
WHERE l.is_current AND {slice}
