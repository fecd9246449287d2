-- A few communications of a type without a derivative row, or with one of another type.
-- Parameters: activity_type; {table}.
SELECT
    m.comm_communicationid,
    d.id IS NULL AS missing
FROM staging.ic_communication_master AS m
LEFT JOIN staging.{table} AS d ON d.ic_communication_master_id = m.id
WHERE (m.derived_activity_type = %(activity_type)s) <> (d.id IS NOT NULL)
ORDER BY 1
LIMIT 10
