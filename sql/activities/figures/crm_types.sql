-- Communications by month whose type, as the CRM writes it, the classification does not know.
-- Grain: type, month; the item '' counts all. Parameters: window_start, window_end.
-- Uses ic_communication_master_datetime.
WITH counted AS (
    SELECT
        date_trunc('month', comm_datetime)::date AS comm_month,
        comm_type,
        count(*) AS communications
    FROM staging.ic_communication_master
    WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
    GROUP BY 1, 2
),

named AS (
    SELECT
        counted.comm_month,
        staging.ic_norm(counted.comm_type) AS comm_type,
        counted.communications
    FROM counted
)

SELECT
    'crm_types' AS figure,
    '' AS item,
    comm_month,
    0::bigint AS failing,
    sum(communications)::bigint AS checked
FROM named
GROUP BY comm_month
UNION ALL
SELECT
    'crm_types' AS figure,
    named.comm_type AS item,
    named.comm_month,
    sum(named.communications)::bigint AS failing,
    0::bigint AS checked
FROM named
LEFT JOIN staging.ic_activity_classification AS known ON known.comm_type = named.comm_type
WHERE known.comm_type IS NULL
GROUP BY named.comm_type, named.comm_month
