-- Months that hold, in their newest landed versions, a type and an action that a line of the classification names.
-- Parameters, side by side: first (types), second (actions); '*' is any.
SELECT DISTINCT written.comm_month
FROM (
    SELECT DISTINCT
        date_trunc('month', l.comm_datetime)::date AS comm_month,
        l.comm_type,
        l.comm_action
    FROM staging.ic_communication_landing AS l
    WHERE l.is_current
) AS written
INNER JOIN unnest(%(first)s::text[], %(second)s::text[]) AS changed (comm_type, comm_action)
    ON
        changed.comm_type IN (staging.ic_key(written.comm_type), '*')
        AND changed.comm_action IN (staging.ic_key(written.comm_action), '*')
