-- A communication is processed once its derivative row stands with a valid payload, in error when that is invalid.
-- Parameters: window_start, window_end, activity_type; {table}.
UPDATE staging.ic_communication_master AS m
SET
    staging_status = CASE WHEN d.hubspot_api_payload IS NULL THEN 'error' ELSE 'processed' END,
    error_message = CASE WHEN d.hubspot_api_payload IS NULL THEN d.error_message END,
    processed_at = now()
FROM staging.{table} AS d
WHERE
    d.ic_communication_master_id = m.id
    AND m.derived_activity_type = %(activity_type)s
    AND m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
    AND (m.staging_status, m.error_message) IS DISTINCT FROM (
        CASE WHEN d.hubspot_api_payload IS NULL THEN 'error' ELSE 'processed' END,
        CASE WHEN d.hubspot_api_payload IS NULL THEN d.error_message END
    )
