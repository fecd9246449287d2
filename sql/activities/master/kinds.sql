-- What decides the activity type of the current versions, and the type that staging.classify_activity_type makes of it:
-- called once for each kind however it is spelled, not for each row (a call looks four lines up, 80 microseconds). What
-- people typed freely may make more kinds than fit in memory: those beyond row_limit are left to incoming.sql.
-- Grain: one kind as it is spelled. Parameters: those of {slice}, a condition on l; row_limit.
WITH spelled AS MATERIALIZED (
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
),

keyed AS MATERIALIZED (
    SELECT
        spelled.*,
        staging.ic_key(spelled.comm_type) AS type_key,
        staging.ic_key(spelled.comm_action) AS action_key,
        -- A priority counts with a case only.
        CASE WHEN spelled.has_case THEN staging.ic_key(spelled.comm_priority) ELSE '' END AS priority_key
    FROM spelled
),

typed AS MATERIALIZED (
    SELECT
        k.*,
        staging.classify_activity_type(
            k.type_key, k.priority_key, CASE WHEN k.has_case THEN 1 END, k.action_key
        ) AS derived_activity_type
    FROM (
        SELECT DISTINCT
            type_key,
            action_key,
            priority_key,
            has_case
        FROM keyed
    ) AS k
)

SELECT
    keyed.comm_type,
    keyed.comm_action,
    keyed.comm_priority,
    keyed.has_case,
    typed.derived_activity_type
FROM keyed
INNER JOIN typed
    ON
        typed.type_key = keyed.type_key AND typed.action_key = keyed.action_key
        AND typed.priority_key = keyed.priority_key AND typed.has_case = keyed.has_case
