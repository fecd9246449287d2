-- Communications that lead to no HubSpot record, by what they carry. One pass over the master.
-- Grain: references carried, activity type. No parameters.
SELECT
    concat_ws(
        ', ',
        CASE WHEN person_id IS NOT NULL THEN 'contact' END,
        CASE WHEN company_id IS NOT NULL THEN 'company' END,
        CASE WHEN comm_opportunityid IS NOT NULL THEN 'deal' END
    ) AS carries,
    derived_activity_type AS activity_type,
    count(*) AS communications
FROM staging.ic_communication_master
WHERE is_orphaned
GROUP BY 1, 2
ORDER BY 1, 2
