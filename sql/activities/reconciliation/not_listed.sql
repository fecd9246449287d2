-- Matches of the table whose legacy id none of the listed HubSpot records carries. Parameters: ambiguous (bigint[],
-- carried by several records and so left out of incoming_match); reads incoming_match.
SELECT count(*) AS matches
FROM staging.{table} AS known
WHERE
    known.{hubspot_id} IS NOT NULL
    AND known.{legacy_id} <> all(%(ambiguous)s::bigint[])
    AND known.{legacy_id} NOT IN (SELECT incoming.legacy_id FROM incoming_match AS incoming)
