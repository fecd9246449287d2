-- Brings master rows to the current version of their communication. Rows that stand as they should are not written, and
-- ids stay what they were.
-- Grain: one communication. Parameters: those of {incoming} (master/incoming.sql); {assignments} of its columns, which
-- are {columns}, as {values} of s.
MERGE INTO staging.ic_communication_master AS m
USING ({incoming}) AS s
    ON m.comm_communicationid = s.comm_communicationid
WHEN MATCHED
AND (m.source_drop, m.source_line, m.derived_activity_type)
IS DISTINCT FROM (s.source_drop, s.source_line, s.derived_activity_type) THEN
    UPDATE
        SET
            {assignments},
            staging_status = 'pending',
            error_message = NULL,
            processed_at = NULL,
            last_updated = now()
WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})
