-- A communication is processed once its derivative row stands with a valid payload, in error when that is invalid.
-- Parameters: window_start, window_end, activity_type; {table}. Uses ic_communication_master_type.
UPDATE staging.ic_communication_master AS m
SET
    staging_status = d.staging_status,
    error_message = d.error_message,
    processed_at = now()
FROM (
    SELECT
        ic_communication_master_id,
        CASE WHEN hubspot_api_payload IS NULL THEN 'error' ELSE 'processed' END AS staging_status,
        CASE WHEN hubspot_api_payload IS NULL THEN error_message END AS error_message
    FROM staging.{table}
    WHERE activity_date >= %(window_start)s AND activity_date < %(window_end)s
    -- Keeps the payloads, 1 kB each, out of the join.
    OFFSET 0 -- noqa: AM09
) AS d
WHERE
    d.ic_communication_master_id = m.id
    AND m.derived_activity_type = %(activity_type)s
    AND m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
    AND (m.staging_status, m.error_message) IS DISTINCT FROM (d.staging_status, d.error_message)
