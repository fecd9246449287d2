-- The legacy ids of the file whose HubSpot id is another one than the table's. No parameters; reads incoming_match.
SELECT DISTINCT incoming.legacy_id
FROM incoming_match AS incoming
LEFT JOIN staging.{table} AS known ON known.{legacy_id} = incoming.legacy_id
WHERE known.{hubspot_id} IS DISTINCT FROM incoming.hubspot_id OR known.{legacy_id} IS NULL
