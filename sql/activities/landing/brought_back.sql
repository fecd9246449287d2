-- Communications that the source had deleted and this drop has again. Parameters: drop_id.
DELETE FROM staging.ic_deleted_communication AS d
USING staging.ic_communication_landing AS l
WHERE l.drop_id = %(drop_id)s AND l.is_current AND l.comm_communicationid = d.comm_communicationid
