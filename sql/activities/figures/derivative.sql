-- What a derivative table holds by month: rows with a flaw; rows whose payload HubSpot would refuse, by reason (the item
-- '' counts all); and communications of the type without a row, with rows beyond theirs: of another type, or under another
-- month than their communication. Grain: figure, item, month. Parameters: window_start, window_end, activity_type;
-- {table}; {found} names conditions on d, {counts} counts each by its name, {flaws} lists them as (figure, item, count).
-- Uses ic_communication_master_datetime and the indexes on activity_date and ic_communication_master_id.
WITH counted AS (
    SELECT
        d.comm_month,
        d.reason,
        count(*) AS derivatives,
        count(*) FILTER (WHERE d.is_refused) AS refused,
        {counts}
    FROM (
        SELECT
            date_trunc('month', d.activity_date)::date AS comm_month,
            d.hubspot_api_payload IS NULL AS is_refused,
            CASE WHEN d.hubspot_api_payload IS NULL THEN coalesce(d.error_message, 'no reason') ELSE '' END AS reason,
            {found}
        FROM staging.{table} AS d
        WHERE d.activity_date >= %(window_start)s AND d.activity_date < %(window_end)s
        -- Else the payloads go into the aggregate, and into a sort before it where the planner takes each moment for a
        -- group of its own.
        OFFSET 0
    ) AS d
    GROUP BY 1, 2
),

standing AS (
    SELECT
        comm_month,
        sum(derivatives)::bigint AS derivatives
    FROM counted
    GROUP BY comm_month
),

paired AS (
    SELECT
        date_trunc('month', m.comm_datetime)::date AS comm_month,
        count(*) AS communications,
        count(d.ic_communication_master_id) AS matched
    FROM staging.ic_communication_master AS m
    LEFT JOIN staging.{table} AS d ON d.ic_communication_master_id = m.id
    WHERE
        m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
        AND m.derived_activity_type = %(activity_type)s
    GROUP BY 1
)

SELECT
    flaw.figure,
    flaw.item,
    counted.comm_month,
    sum(flaw.failing)::bigint AS failing,
    sum(counted.derivatives)::bigint AS checked
FROM counted
CROSS JOIN LATERAL (VALUES {flaws}) AS flaw (figure, item, failing)
GROUP BY 1, 2, 3
UNION ALL
SELECT
    'payloads' AS figure,
    reason AS item,
    comm_month,
    refused AS failing,
    derivatives AS checked
FROM counted
UNION ALL
SELECT
    'coverage' AS figure,
    '' AS item,
    coalesce(paired.comm_month, standing.comm_month) AS comm_month,
    coalesce(paired.communications - paired.matched, 0)
    + abs(coalesce(standing.derivatives, 0) - coalesce(paired.matched, 0)) AS failing,
    coalesce(paired.communications, 0)
    + greatest(coalesce(standing.derivatives, 0) - coalesce(paired.matched, 0), 0) AS checked
FROM paired
FULL JOIN standing ON standing.comm_month = paired.comm_month
