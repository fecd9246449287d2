-- The versions that this drop's deletions end. One that is known to be older than what stands ends nothing: an old file
-- that came late. Returns the months that they stood in. Reads the temporary table ic_deletion
-- (landing/deletions_in_drop.sql). No parameters.
UPDATE staging.ic_communication_landing AS earlier
SET is_current = FALSE
FROM ic_deletion AS d
WHERE
    earlier.comm_communicationid = d.comm_communicationid
    AND earlier.is_current
    AND (d.comm_updateddate < earlier.comm_updateddate) IS NOT TRUE
RETURNING date_trunc('month', earlier.comm_datetime)::date AS comm_month
