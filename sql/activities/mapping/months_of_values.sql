-- Months with communications of a type that hold a value which a line of a mapping names. Parameters, side by side:
-- first (activity types), second (values; '*' is any); {written} is the master's column m that holds them.
SELECT DISTINCT held.comm_month
FROM (
    SELECT DISTINCT
        date_trunc('month', m.comm_datetime)::date AS comm_month,
        m.derived_activity_type AS activity_type,
        {written} AS written
    FROM staging.ic_communication_master AS m
    WHERE m.derived_activity_type = any(%(first)s::text[])
) AS held
INNER JOIN unnest(%(first)s::text[], %(second)s::text[]) AS changed (activity_type, word)
    ON changed.activity_type = held.activity_type AND changed.word IN (staging.ic_key(held.written), '*')
