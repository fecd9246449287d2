-- What a push with orphans would send besides, by reason. Parameters: types (text[]).
SELECT
    CASE
        WHEN num_nonnulls(m.person_id, m.company_id, m.comm_opportunityid) = 0 THEN 'carries no reference'
        ELSE 'no reference leads to a HubSpot record'
    END AS reason,
    m.derived_activity_type AS activity_type,
    count(*) AS communications
FROM staging.ic_communication_master AS m
WHERE m.is_orphaned AND m.derived_activity_type = any(%(types)s)
GROUP BY 1, 2
ORDER BY 3 DESC, 1, 2
