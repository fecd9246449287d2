-- The further people of a version that is rejected are rejected with it. Parameters: drop_id, fate (stale or
-- unreadable_update). Returns how many.
UPDATE staging.ic_communication_landing AS l
SET fate = %(fate)s
FROM staging.ic_communication_landing AS of_first
WHERE
    l.drop_id = %(drop_id)s
    AND l.fate = 'joined'
    AND of_first.drop_id = l.drop_id
    AND of_first.comm_communicationid = l.comm_communicationid
    AND of_first.fate = %(fate)s
    AND of_first.line_number < l.line_number
