-- Brings a derivative table to what its view gives, with the rendered payload of each row. A row that stands as it
-- should is not written; its push status changes only with its payload.
-- Grain: one communication of the type. Parameters: those of {slice}, a condition on v, and of the payload; {table},
-- {view}, the lists {columns}, {incoming} (s.columns), {standing} (d.columns) and {assignments}; {payload}, {error}.
MERGE INTO staging.{table} AS d
USING ({rendered}) AS s
    ON d.ic_communication_master_id = s.ic_communication_master_id
WHEN MATCHED AND ({standing}, d.hubspot_api_payload) IS DISTINCT FROM ({incoming}, s.payload)
    THEN UPDATE SET
    {assignments},
    hubspot_api_payload = s.payload,
    api_push_status = CASE
        WHEN d.hubspot_api_payload IS NOT DISTINCT FROM s.payload THEN d.api_push_status
        ELSE s.push_status
    END,
    error_message = CASE
        WHEN d.hubspot_api_payload IS NOT DISTINCT FROM s.payload THEN d.error_message
        ELSE s.payload_error
    END,
    last_updated = now()
WHEN NOT MATCHED THEN INSERT (
    {columns}, hubspot_api_payload, api_push_status, error_message
) VALUES (
    {incoming}, s.payload, s.push_status, s.payload_error
)
