-- Records of one type that HubSpot refused, against all that were settled, in the portal that was pushed to last. A
-- held row with a category is one that a person must decide; orphans have none, and what people changed in HubSpot was
-- not refused there. Parameters: object_type.
WITH settled AS (
    SELECT
        l.state <> 'pushed' AS is_refused,
        coalesce(l.error_category, 'none given') AS category,
        left(l.last_error, 200) AS reason
    FROM hubspot.push_ledger AS l
    WHERE
        l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
        AND l.object_type = %(object_type)s
        AND (l.state IN ('pushed', 'failed') OR (l.state = 'held' AND l.error_category <> 'EDITED_IN_HUBSPOT'))
)

SELECT
    count(*) FILTER (WHERE is_refused) AS failing,
    count(*) AS checked,
    (
        SELECT jsonb_agg(to_jsonb(few)) FROM (
            SELECT
                category,
                reason,
                count(*) AS records
            FROM settled
            WHERE is_refused
            GROUP BY 1, 2
            ORDER BY 3 DESC
            LIMIT 10
        ) AS few
    ) AS sample
FROM settled
