-- References of one kind that lead to no HubSpot record, in the months that are resolved. No parameters; {reference}
-- and {hubspot_id} are columns of the master.
WITH carried AS (
    SELECT
        m.{reference} AS legacy_id,
        m.{hubspot_id} AS hubspot_id
    FROM staging.ic_communication_master AS m
    WHERE
        m.{reference} IS NOT NULL
        AND date_trunc('month', m.comm_datetime) IN (
            SELECT window_start FROM staging.v_ic_month_ready
            WHERE stage = 'resolved'
        )
)

SELECT
    count(*) FILTER (WHERE hubspot_id IS NULL) AS failing,
    count(*) AS checked,
    (
        SELECT jsonb_agg(to_jsonb(few)) FROM (
            SELECT
                legacy_id,
                count(*) AS communications
            FROM carried
            WHERE hubspot_id IS NULL
            GROUP BY legacy_id
            ORDER BY 2 DESC, 1
            LIMIT 10
        ) AS few
    ) AS sample
FROM carried
