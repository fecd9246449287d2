-- References by month that lead to no HubSpot record, per entity, and communications that lead to none at all, by what
-- they carry. Grain: figure, item, month. Parameters: window_start, window_end. Uses ic_communication_master_datetime.
WITH counted AS (
    SELECT
        date_trunc('month', comm_datetime)::date AS comm_month,
        count(*) AS communications,
        count(person_id) AS contacts,
        count(person_id) FILTER (WHERE hubspot_contact_id IS NULL) AS contacts_missed,
        count(company_id) AS companies,
        count(company_id) FILTER (WHERE hubspot_company_id IS NULL) AS companies_missed,
        count(comm_opportunityid) AS deals,
        count(comm_opportunityid) FILTER (WHERE hubspot_deal_id IS NULL) AS deals_missed,
        count(*) FILTER (
            WHERE is_orphaned AND num_nonnulls(person_id, company_id, comm_opportunityid) = 0
        ) AS without_reference,
        count(*) FILTER (
            WHERE is_orphaned AND num_nonnulls(person_id, company_id, comm_opportunityid) > 0
        ) AS none_resolved
    FROM staging.ic_communication_master
    WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
    GROUP BY 1
)

SELECT
    figure.name AS figure,
    figure.item,
    counted.comm_month,
    figure.failing,
    figure.checked
FROM counted
CROSS JOIN LATERAL (
    VALUES
    ('contacts', '', counted.contacts_missed, counted.contacts),
    ('companies', '', counted.companies_missed, counted.companies),
    ('deals', '', counted.deals_missed, counted.deals),
    ('orphans', '', 0, counted.communications),
    ('orphans', 'no reference', counted.without_reference, 0),
    ('orphans', 'no reference resolved', counted.none_resolved, 0)
) AS figure (name, item, failing, checked)
