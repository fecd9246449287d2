-- What the master holds by month: communications without a value that every row must have, and of each type.
-- Grain: figure, item, month. Parameters: window_start, window_end. Uses ic_communication_master_datetime.
WITH counted AS (
    SELECT
        date_trunc('month', comm_datetime)::date AS comm_month,
        derived_activity_type,
        count(*) AS communications,
        count(*) FILTER (
            WHERE num_nulls(comm_communicationid, comm_type, comm_datetime, comm_createddate) > 0
        ) AS lacking
    FROM staging.ic_communication_master
    WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
    GROUP BY 1, 2
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
    communications AS failing,
    communications AS checked
FROM counted
