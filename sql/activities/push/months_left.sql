-- Months of one activity type of which something is not in HubSpot yet, by the ledger of one portal or, where a row
-- came after the plan, by the derivative. Refused and held rows wait for a person, not for a push. {table}: the
-- derivative table. Parameters: portal_id, activity_type, window_start, window_end (excluded).
SELECT l.activity_month
FROM hubspot.push_ledger AS l
WHERE
    l.portal_id = %(portal_id)s
    AND l.activity_type = %(activity_type)s
    AND l.activity_month >= %(window_start)s
    AND l.activity_month < %(window_end)s
    AND l.state IN ('pending', 'in_flight', 'unknown')
UNION
SELECT date_trunc('month', d.activity_date)::date AS activity_month
FROM {table} AS d
WHERE
    d.activity_date >= %(window_start)s
    AND d.activity_date < %(window_end)s
    AND d.hubspot_api_payload IS NOT NULL
    AND d.api_push_status IN ('pending', 'in_flight')
ORDER BY activity_month;
