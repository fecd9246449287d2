-- Activity types without a single communication. No parameters.
SELECT
    count(*) FILTER (WHERE total = 0) AS failing,
    count(*) AS checked,
    jsonb_agg(activity_type ORDER BY activity_type) FILTER (WHERE total = 0) AS sample
FROM staging.v_ic_activities_summary
