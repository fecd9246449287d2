-- What decides the activity type of the current versions, and the type that staging.classify_activity_type makes of it:
-- called once for each kind, not for each row. What people typed freely may make more kinds than fit in memory: those
-- beyond row_limit are left to incoming.sql.
-- Grain: one kind. Parameters: those of {slice}, a condition on l; row_limit.
SELECT
    k.comm_type,
    k.comm_action,
    k.comm_priority,
    k.has_case,
    staging.classify_activity_type(
        k.comm_type, k.comm_priority, CASE WHEN k.has_case THEN 1 END, k.comm_action
    ) AS derived_activity_type
FROM (
    SELECT
        l.comm_type,
        coalesce(l.comm_action, '') AS comm_action,
        coalesce(l.comm_priority, '') AS comm_priority,
        l.comm_caseid IS NOT NULL AS has_case
    FROM staging.ic_communication_landing AS l
    WHERE l.is_current AND {slice}
    GROUP BY 1, 2, 3, 4
    ORDER BY count(*) DESC
    LIMIT %(row_limit)s
) AS k
