-- Communications that lead to no HubSpot record at all, in the months that are resolved, by what they carry.
-- No parameters.
WITH judged AS (
    SELECT
        m.is_orphaned,
        CASE
            WHEN num_nonnulls(m.person_id, m.company_id, m.comm_opportunityid) = 0 THEN 'no reference'
            ELSE 'no reference resolved'
        END AS reason
    FROM staging.ic_communication_master AS m
    WHERE date_trunc('month', m.comm_datetime) IN (
        SELECT window_start FROM staging.v_ic_month_ready
        WHERE stage = 'resolved'
    )
)

SELECT
    count(*) FILTER (WHERE is_orphaned) AS failing,
    count(*) AS checked,
    (
        SELECT jsonb_agg(to_jsonb(few)) FROM (
            SELECT
                reason,
                count(*) AS communications
            FROM judged
            WHERE is_orphaned
            GROUP BY reason
            ORDER BY 2 DESC
        ) AS few
    ) AS sample
FROM judged
