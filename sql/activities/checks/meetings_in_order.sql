-- Meetings that end before they begin. No parameters.
SELECT
    count(*) FILTER (WHERE meeting_end_time < meeting_start_time) AS failing,
    count(*) AS checked,
    NULL::jsonb AS sample
FROM staging.ic_meetings
