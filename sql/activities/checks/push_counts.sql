-- How far HubSpot's own count of our records of one type and the ledger's were apart when they were read back last.
-- Parameters: object_type.
WITH latest AS (
    SELECT
        r.push_id,
        r.counts -> 'read_back' -> %(object_type)s::text AS counted
    FROM hubspot.push_run AS r
    WHERE
        r.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
        AND r.counts -> 'read_back' -> %(object_type)s::text IS NOT NULL
    ORDER BY r.push_id DESC
    LIMIT 1
)

SELECT
    coalesce(max(abs((counted ->> 'hubspot')::bigint - (counted ->> 'ledger')::bigint)), 0) AS failing,
    coalesce(max(greatest((counted ->> 'hubspot')::bigint, (counted ->> 'ledger')::bigint)), 0) AS checked,
    jsonb_agg(counted || jsonb_build_object('push', push_id)) AS sample
FROM latest
