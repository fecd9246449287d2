-- The references of each month that lead to no HubSpot record, those of further people included; of a communication
-- each counts once.
-- Grain: entity, legacy id, month. Parameters: window_start, window_end.
SELECT
    reference.entity_type,
    reference.legacy_id,
    date_trunc('month', reference.comm_datetime)::date AS month,
    count(*) AS communications_affected
FROM (
    SELECT
        m.comm_datetime,
        carried.entity_type,
        carried.legacy_id
    FROM staging.ic_communication_master AS m
    CROSS JOIN
        LATERAL (
            VALUES
            ('contact', CASE WHEN m.hubspot_contact_id IS NULL THEN m.person_id END),
            ('company', CASE WHEN m.hubspot_company_id IS NULL THEN m.company_id END),
            ('deal', CASE WHEN m.hubspot_deal_id IS NULL THEN m.comm_opportunityid END)
        ) AS carried (entity_type, legacy_id)
    WHERE
        m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
        -- Nine rows of ten miss nothing, and need not be taken apart.
        AND (
            (m.person_id IS NOT NULL AND m.hubspot_contact_id IS NULL)
            OR (m.company_id IS NOT NULL AND m.hubspot_company_id IS NULL)
            OR (m.comm_opportunityid IS NOT NULL AND m.hubspot_deal_id IS NULL)
        )
        AND carried.legacy_id IS NOT NULL
    UNION ALL
    SELECT
        comm_datetime,
        entity_type,
        legacy_id
    FROM staging.v_ic_party_reference
    WHERE hubspot_id IS NULL AND comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
) AS reference
GROUP BY 1, 2, 3
