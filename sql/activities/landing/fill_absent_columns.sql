-- A column that the drop does not have keeps the value that its earlier version holds.
-- Grain: rows of one drop that have an earlier version. Parameters: drop_id; {assignments} sets each absent column
-- from earlier. Finds the earlier version by ic_communication_landing_communication.
UPDATE staging.ic_communication_landing AS l
SET {assignments}
FROM staging.ic_communication_landing AS earlier
WHERE
    l.drop_id = %(drop_id)s
    AND l.fate = 'inserted'
    AND earlier.comm_communicationid = l.comm_communicationid
    AND earlier.is_current
    AND earlier.drop_id <> l.drop_id
