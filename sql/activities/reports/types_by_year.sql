-- Communications by year and activity type. No parameters.
SELECT
    extract(YEAR FROM comm_datetime)::integer AS comm_year,
    derived_activity_type AS activity_type,
    count(*) AS communications
FROM staging.ic_communication_master
GROUP BY 1, 2
ORDER BY 1, 2
