-- Rows of a drop that a newer row of it gives as deleted. Parameters: drop_id. Reads the temporary table ic_deletion
-- (landing/deletions_in_drop.sql).
UPDATE staging.ic_communication_landing AS l
SET fate = 'superseded_in_drop', is_current = FALSE
FROM ic_deletion AS d
WHERE l.drop_id = %(drop_id)s AND l.comm_communicationid = d.comm_communicationid
