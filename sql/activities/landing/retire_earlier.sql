-- The versions that this drop's updates replace. Parameters: drop_id. Returns the months that they stood in.
UPDATE staging.ic_communication_landing AS earlier
SET is_current = FALSE
FROM staging.ic_communication_landing AS l
WHERE
    l.drop_id = %(drop_id)s
    AND l.fate = 'updated'
    AND earlier.comm_communicationid = l.comm_communicationid
    AND earlier.is_current
    AND earlier.drop_id <> l.drop_id
RETURNING date_trunc('month', earlier.comm_datetime)::date AS comm_month
