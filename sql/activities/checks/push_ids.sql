-- Rows of one type that count as pushed without the id of their HubSpot record, or with another one than the ledger's.
-- Parameters: object_type; {table}.
WITH pushed AS (
    SELECT
        m.comm_communicationid,
        d.hubspot_engagement_id,
        l.hubspot_id AS ledger_id
    FROM staging.{table} AS d
    INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
    LEFT JOIN hubspot.push_ledger AS l
        ON
            l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
            AND l.record_key = m.comm_communicationid::text
            AND l.object_type = %(object_type)s
            AND l.part = 1
    WHERE d.api_push_status = 'pushed'
)

SELECT
    count(*) FILTER (
        WHERE hubspot_engagement_id IS NULL OR hubspot_engagement_id IS DISTINCT FROM ledger_id
    ) AS failing,
    count(*) AS checked,
    (
        SELECT jsonb_agg(to_jsonb(few)) FROM (
            SELECT *
            FROM pushed
            WHERE hubspot_engagement_id IS NULL OR hubspot_engagement_id IS DISTINCT FROM ledger_id
            ORDER BY comm_communicationid
            LIMIT 10
        ) AS few
    ) AS sample
FROM pushed
