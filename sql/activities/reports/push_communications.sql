-- What no push has taken up, by type: without a valid payload, or simply not pushed yet. No parameters.
SELECT
    m.derived_activity_type AS object_type,
    count(*) AS communications,
    count(*) FILTER (WHERE p.push_status IS NULL AND m.staging_status = 'error') AS payload_invalid,
    count(*) FILTER (WHERE p.push_status IS NULL AND m.staging_status <> 'error') AS not_pushed_yet
FROM staging.ic_communication_master AS m
INNER JOIN staging.v_ic_push_status AS p ON m.comm_communicationid = p.comm_communicationid
GROUP BY 1
ORDER BY 1
