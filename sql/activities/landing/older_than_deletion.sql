-- Rows older than what the source has deleted: stale, as beside a version that stands. Grain: rows of one drop.
-- Parameters: drop_id.
UPDATE staging.ic_communication_landing AS l
SET fate = 'stale', is_current = FALSE
FROM staging.ic_deleted_communication AS d
WHERE
    l.drop_id = %(drop_id)s
    AND l.fate = 'inserted'
    AND l.comm_communicationid = d.comm_communicationid
    AND d.comm_updateddate IS NOT NULL
    AND (l.comm_updateddate IS NULL OR l.comm_updateddate < d.comm_updateddate)
