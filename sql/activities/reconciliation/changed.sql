-- The legacy ids whose HubSpot id is another one than the table's, and both. Grain: one legacy id. No parameters; reads
-- incoming_match, in which all lines of one legacy id say the same.
SELECT DISTINCT
    incoming.legacy_id,
    known.{hubspot_id} AS hubspot_id_before,
    incoming.hubspot_id AS hubspot_id_after
FROM incoming_match AS incoming
LEFT JOIN staging.{table} AS known ON known.{legacy_id} = incoming.legacy_id
WHERE known.{hubspot_id} IS DISTINCT FROM incoming.hubspot_id OR known.{legacy_id} IS NULL
ORDER BY incoming.legacy_id
