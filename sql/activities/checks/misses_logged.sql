-- Unresolved references of the resolved months that reconciliation_log does not name. No parameters.
WITH ready AS (
    SELECT window_start FROM staging.v_ic_month_ready
    WHERE stage = 'resolved'
),

miss AS (
    SELECT
        'contact' AS entity_type,
        m.person_id AS legacy_id,
        date_trunc('month', m.comm_datetime)::date AS month
    FROM staging.ic_communication_master AS m
    WHERE
        m.person_id IS NOT NULL
        AND m.hubspot_contact_id IS NULL
        AND date_trunc('month', m.comm_datetime) IN (SELECT window_start FROM ready)
    UNION
    SELECT
        'company' AS entity_type,
        m.company_id AS legacy_id,
        date_trunc('month', m.comm_datetime)::date AS month
    FROM staging.ic_communication_master AS m
    WHERE
        m.company_id IS NOT NULL
        AND m.hubspot_company_id IS NULL
        AND date_trunc('month', m.comm_datetime) IN (SELECT window_start FROM ready)
    UNION
    SELECT
        'deal' AS entity_type,
        m.comm_opportunityid AS legacy_id,
        date_trunc('month', m.comm_datetime)::date AS month
    FROM staging.ic_communication_master AS m
    WHERE
        m.comm_opportunityid IS NOT NULL
        AND m.hubspot_deal_id IS NULL
        AND date_trunc('month', m.comm_datetime) IN (SELECT window_start FROM ready)
)

SELECT
    count(*) FILTER (WHERE log.id IS NULL) AS failing,
    count(*) AS checked,
    NULL::jsonb AS sample
FROM miss
LEFT JOIN staging.reconciliation_log AS log
    ON log.month = miss.month AND log.entity_type = miss.entity_type AND log.legacy_id = miss.legacy_id
