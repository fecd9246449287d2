-- Communications of a type that the classification does not know. No parameters.
WITH unknown AS (
    SELECT
        staging.ic_norm(m.comm_type) AS comm_type,
        count(*) AS communications
    FROM staging.ic_communication_master AS m
    LEFT JOIN staging.ic_activity_classification AS known ON known.comm_type = staging.ic_norm(m.comm_type)
    WHERE known.comm_type IS NULL
    GROUP BY 1
)

SELECT
    coalesce(sum(communications), 0) AS failing,
    (SELECT count(*) FROM staging.ic_communication_master) AS checked,
    (
        SELECT jsonb_agg(to_jsonb(few)) FROM (
            SELECT * FROM unknown
            ORDER BY communications DESC, comm_type
            LIMIT 20
        ) AS few
    ) AS sample
FROM unknown
