-- One row for each reference of a month that leads to no HubSpot record, and why.
-- Grain: entity, legacy id, month. No parameters. Reads the temporary table ic_miss, which holds resolution/misses.sql.
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
FROM ic_miss AS miss
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
