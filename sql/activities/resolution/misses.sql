-- The references of each month that lead to no HubSpot record. A table of its own, since PostgreSQL uses its second core
-- for one, and not for what an INSERT reads.
-- Grain: entity, legacy id, month. Parameters: window_start, window_end.
CREATE TEMPORARY TABLE ic_miss ON COMMIT DROP AS
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
