-- References by month that lead to no HubSpot record, per entity, and communications that lead to none at all, by what
-- they carry. Of a communication with several people each person and company counts once. Grain: figure, item, month.
-- Parameters: window_start, window_end. Uses ic_communication_master_datetime.
WITH counted AS (
    SELECT
        date_trunc('month', m.comm_datetime)::date AS comm_month,
        count(*) AS communications,
        count(m.person_id) AS contacts,
        count(m.person_id) FILTER (WHERE m.hubspot_contact_id IS NULL) AS contacts_missed,
        count(m.company_id) AS companies,
        count(m.company_id) FILTER (WHERE m.hubspot_company_id IS NULL) AS companies_missed,
        count(m.comm_opportunityid) AS deals,
        count(m.comm_opportunityid) FILTER (WHERE m.hubspot_deal_id IS NULL) AS deals_missed,
        count(*) FILTER (
            WHERE
            m.is_orphaned
            AND num_nonnulls(m.person_id, m.company_id, m.comm_opportunityid) = 0
            AND further.ic_communication_master_id IS NULL
        ) AS without_reference,
        count(*) FILTER (
            WHERE
            m.is_orphaned
            AND (
                num_nonnulls(m.person_id, m.company_id, m.comm_opportunityid) > 0
                OR further.ic_communication_master_id IS NOT NULL
            )
        ) AS none_resolved
    FROM staging.ic_communication_master AS m
    LEFT JOIN
        (SELECT DISTINCT ic_communication_master_id FROM staging.v_ic_party_reference) AS further
        ON further.ic_communication_master_id = m.id
    WHERE m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
    GROUP BY 1
)

SELECT
    figure.name AS figure,
    figure.item,
    counted.comm_month,
    figure.failing,
    figure.checked
FROM counted
CROSS JOIN
    LATERAL (
        VALUES
        ('contacts', '', counted.contacts_missed, counted.contacts),
        ('companies', '', counted.companies_missed, counted.companies),
        ('deals', '', counted.deals_missed, counted.deals),
        ('orphans', '', 0, counted.communications),
        ('orphans', 'no reference', counted.without_reference, 0),
        ('orphans', 'no reference resolved', counted.none_resolved, 0)
    ) AS figure (name, item, failing, checked)
UNION ALL
SELECT
    CASE entity_type WHEN 'contact' THEN 'contacts' ELSE 'companies' END AS figure,
    'of further people' AS item,
    date_trunc('month', comm_datetime)::date AS comm_month,
    count(*) FILTER (WHERE hubspot_id IS NULL) AS failing,
    count(*) AS checked
FROM staging.v_ic_party_reference
WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
GROUP BY 1, 3
