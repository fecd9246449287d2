-- Derivative rows whose payload HubSpot would refuse, by reason. No parameters; {table}.
SELECT
    count(*) FILTER (WHERE hubspot_api_payload IS NULL) AS failing,
    count(*) AS checked,
    (
        SELECT jsonb_agg(to_jsonb(few)) FROM (
            SELECT
                error_message AS reason,
                count(*) AS communications
            FROM staging.{table}
            WHERE hubspot_api_payload IS NULL
            GROUP BY error_message
            ORDER BY 2 DESC, 1
            LIMIT 10
        ) AS few
    ) AS sample
FROM staging.{table}
