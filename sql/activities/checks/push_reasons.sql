-- Refused records of one type without HubSpot's reason; the sample lists all refusals by reason. Parameters:
-- object_type.
WITH refused AS (
    SELECT
        coalesce(l.error_category, 'none given') AS category,
        left(l.last_error, 200) AS reason
    FROM hubspot.push_ledger AS l
    WHERE
        l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
        AND l.object_type = %(object_type)s
        AND (l.state = 'failed' OR (l.state = 'held' AND l.error_category IS NOT NULL))
)

SELECT
    count(*) FILTER (WHERE coalesce(reason, '') = '') AS failing,
    count(*) AS checked,
    (
        SELECT jsonb_agg(to_jsonb(few)) FROM (
            SELECT
                category,
                reason,
                count(*) AS records
            FROM refused
            GROUP BY 1, 2
            ORDER BY 3 DESC
            LIMIT 10
        ) AS few
    ) AS sample
FROM refused
