-- The rows of a communication's people and companies beyond the first line's. Grain: rows of one drop. Parameters:
-- drop_id. Reads the temporary table ic_several (landing/repeated_people.sql).
UPDATE staging.ic_communication_landing AS l
SET fate = 'joined', is_current = FALSE
FROM ic_several AS several
WHERE
    l.drop_id = %(drop_id)s
    AND l.comm_communicationid = several.comm_communicationid
    AND l.line_number <> several.first_line
