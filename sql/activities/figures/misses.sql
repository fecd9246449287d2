-- Unresolved references by month that reconciliation_log does not name.
-- Grain: month. Parameters: window_start, window_end. Uses ic_communication_master_datetime.
SELECT
    'misses' AS figure,
    '' AS item,
    miss.comm_month,
    count(*) FILTER (WHERE log.id IS NULL) AS failing,
    count(*) AS checked
FROM (
    SELECT
        date_trunc('month', m.comm_datetime)::date AS comm_month,
        reference.entity_type,
        reference.legacy_id
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
        -- Nine rows of ten miss nothing, and need not be taken apart.
        AND (
            (m.person_id IS NOT NULL AND m.hubspot_contact_id IS NULL)
            OR (m.company_id IS NOT NULL AND m.hubspot_company_id IS NULL)
            OR (m.comm_opportunityid IS NOT NULL AND m.hubspot_deal_id IS NULL)
        )
        AND reference.legacy_id IS NOT NULL
    UNION -- each once
    SELECT
        date_trunc('month', comm_datetime)::date AS comm_month,
        entity_type,
        legacy_id
    FROM staging.v_ic_party_reference
    WHERE hubspot_id IS NULL AND comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
) AS miss
LEFT JOIN staging.reconciliation_log AS log
    ON log.month = miss.comm_month AND log.entity_type = miss.entity_type AND log.legacy_id = miss.legacy_id
GROUP BY miss.comm_month
