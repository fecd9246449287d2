-- Master rows without a value that every row must have. No parameters.
SELECT
    count(*) FILTER (WHERE num_nulls(comm_communicationid, comm_type, comm_datetime, comm_createddate) > 0) AS failing,
    count(*) AS checked,
    NULL::jsonb AS sample
FROM staging.ic_communication_master
