-- One row for each reference of a month that leads to no HubSpot record, and why.
-- Grain: entity, legacy id, month. Parameters: window_start, window_end.
WITH miss AS (
    SELECT
        reference.entity_type,
        reference.legacy_id,
        date_trunc('month', m.comm_datetime)::date AS month,
        count(*) AS communications_affected
    FROM staging.ic_communication_master AS m
    CROSS JOIN
        LATERAL (
            VALUES
            ('contact', CASE WHEN m.hubspot_contact_id IS NULL THEN m.person_id END),
            ('company', CASE WHEN m.hubspot_company_id IS NULL THEN m.company_id END),
            ('deal', CASE WHEN m.hubspot_deal_id IS NULL THEN m.comm_opportunityid END)
        ) AS reference (entity_type, legacy_id)
    WHERE
        m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
        AND reference.legacy_id IS NOT NULL
    GROUP BY 1, 2, 3
)

INSERT INTO staging.reconciliation_log (
    entity_type, legacy_id, month, status, error_message, communications_affected
)
SELECT
    miss.entity_type,
    miss.legacy_id,
    miss.month,
    CASE WHEN known.legacy_id IS NULL THEN 'unknown' ELSE 'not_in_hubspot' END AS status,
    CASE
        WHEN known.legacy_id IS NULL THEN 'the legacy id is not in the reconciliation table'
        ELSE 'the reconciliation table has no HubSpot id for it'
    END AS error_message,
    miss.communications_affected
FROM miss
LEFT JOIN (
    SELECT
        'contact' AS entity_type,
        legacy_contact_id AS legacy_id
    FROM staging.contacts_reconciliation
    UNION ALL
    SELECT
        'company',
        legacy_company_id
    FROM staging.companies_reconciliation
    UNION ALL
    SELECT
        'deal',
        legacy_deal_id
    FROM staging.deals_reconciliation
) AS known
    ON known.entity_type = miss.entity_type AND known.legacy_id = miss.legacy_id
