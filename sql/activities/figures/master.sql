-- What the master holds by month: communications without a value that every row must have, of each activity type, and
-- of each type, as the CRM writes it, that the classification does not know (the item '' counts all).
-- Grain: figure, item, month. Parameters: window_start, window_end. Uses ic_communication_master_datetime.
WITH counted AS (
    SELECT
        date_trunc('month', comm_datetime)::date AS comm_month,
        derived_activity_type,
        comm_type,
        count(*) AS communications,
        count(*) FILTER (
            WHERE num_nulls(comm_communicationid, comm_type, comm_datetime, comm_createddate) > 0
        ) AS lacking
    FROM staging.ic_communication_master
    WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
    GROUP BY 1, 2, 3
),

named AS (
    SELECT
        counted.comm_month,
        staging.ic_norm(counted.comm_type) AS comm_type,
        counted.communications
    FROM counted
)

SELECT
    'required_fields_present' AS figure,
    '' AS item,
    comm_month,
    sum(lacking)::bigint AS failing,
    sum(communications)::bigint AS checked
FROM counted
GROUP BY comm_month
UNION ALL
SELECT
    'types' AS figure,
    derived_activity_type AS item,
    comm_month,
    sum(communications)::bigint AS failing,
    sum(communications)::bigint AS checked
FROM counted
GROUP BY derived_activity_type, comm_month
UNION ALL
SELECT
    'crm_types' AS figure,
    '' AS item,
    comm_month,
    0::bigint AS failing,
    sum(communications)::bigint AS checked
FROM counted
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
