-- Months with communications of a type. Parameters: activity_type (NULL: of any).
SELECT DISTINCT date_trunc('month', m.comm_datetime)::date AS comm_month
FROM staging.ic_communication_master AS m
WHERE %(activity_type)s::text IS NULL OR m.derived_activity_type = %(activity_type)s
ORDER BY comm_month ASC;
