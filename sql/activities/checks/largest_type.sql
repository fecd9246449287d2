-- The largest activity type against all communications. No parameters.
SELECT
    coalesce(max(total), 0) AS failing,
    coalesce(sum(total), 0) AS checked,
    jsonb_agg(jsonb_build_object('activity_type', activity_type, 'communications', total) ORDER BY total DESC) AS sample
FROM staging.v_ic_activities_summary
