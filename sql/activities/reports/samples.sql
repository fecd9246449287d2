-- Records of one derivative table, spread evenly over it, beside the master rows that they came from. The places follow
-- the golden ratio between the first and the last id, so that the same data gives the same sample and only so many
-- rows are looked up, by the primary keys; small tables are filled up from their beginning.
-- Grain: one derivative row. Parameters: row_limit; {table}, {columns}.
WITH bounds AS (
    SELECT
        min(id) AS first_id,
        max(id) AS last_id
    FROM staging.{table}
),

near AS (
    SELECT
        found.id,
        probe.place
    FROM bounds
    CROSS JOIN generate_series(1, 4 * %(row_limit)s) AS probe (place)
    CROSS JOIN
        LATERAL (
            SELECT d.id
            FROM staging.{table} AS d
            WHERE
                d.id >= bounds.first_id
                + floor(mod(probe.place * 0.6180339887498949, 1) * (bounds.last_id - bounds.first_id + 1))::bigint
            ORDER BY d.id
            LIMIT 1
        ) AS found
    UNION ALL
    (
        SELECT
            d.id,
            4 * %(row_limit)s + row_number() OVER (ORDER BY d.id) AS place
        FROM staging.{table} AS d
        ORDER BY d.id
        LIMIT %(row_limit)s
    )
),

chosen AS (
    SELECT
        id,
        min(place) AS place
    FROM near
    GROUP BY id
    ORDER BY 2
    LIMIT %(row_limit)s
)

SELECT {columns}
FROM chosen
INNER JOIN staging.{table} AS d ON d.id = chosen.id
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
ORDER BY m.comm_datetime, m.comm_communicationid
