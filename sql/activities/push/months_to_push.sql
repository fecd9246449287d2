-- First and last month with a row that HubSpot has not got, else of all rows; NULLs when there are none. No
-- parameters.
WITH derivative AS (
    SELECT
        activity_date,
        api_push_status
    FROM staging.v_ic_derivative
    UNION ALL
    -- Records that stand of what the source has deleted.
    SELECT
        l.activity_month::timestamp AS activity_date,
        'pending' AS api_push_status
    FROM staging.ic_deleted_communication AS gone
    INNER JOIN hubspot.push_ledger AS l
        ON
            l.record_key = gone.comm_communicationid::text
            AND l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
    WHERE l.hubspot_id IS NOT NULL AND l.state <> 'removed'
),

bound AS (
    SELECT
        min(activity_date) FILTER (WHERE api_push_status NOT IN ('pushed', 'removed')) AS first_open,
        max(activity_date) FILTER (WHERE api_push_status NOT IN ('pushed', 'removed')) AS last_open,
        min(activity_date) AS first_any,
        max(activity_date) AS last_any
    FROM derivative
)

SELECT
    date_trunc('month', coalesce(first_open, first_any))::date AS first_month,
    date_trunc('month', coalesce(last_open, last_any))::date AS last_month
FROM bound
