-- Rows of a slice whose communication is of another type by now: those that stand in the slice, and those of
-- communications that do. Each half starts from an index on its date; one condition over both would read both tables.
-- Parameters: window_start, window_end, activity_type; {table}.
DELETE FROM staging.{table} AS gone
WHERE gone.id IN (
    SELECT d.id
    FROM staging.{table} AS d
    INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
    WHERE
        d.activity_date >= %(window_start)s AND d.activity_date < %(window_end)s
        AND m.derived_activity_type <> %(activity_type)s
    UNION
    SELECT d.id
    FROM staging.ic_communication_master AS m
    INNER JOIN staging.{table} AS d ON d.ic_communication_master_id = m.id
    WHERE
        m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
        AND m.derived_activity_type <> %(activity_type)s
)
