-- Of communications with several people a column of persons or companies that the drop does not have keeps the value
-- of the row with the same person and company, the first where there are more; another person has none.
-- Grain: rows of one drop, those of further people included. Parameters: drop_id; {assignments} sets each absent column
-- from same; {values} are those columns of earlier; {is_same} compares earlier and given.
UPDATE staging.ic_communication_landing AS l
SET {assignments}
FROM (
    SELECT DISTINCT ON (given.line_number)
        given.line_number,
        {values}
    FROM staging.ic_communication_landing AS given
    INNER JOIN staging.ic_communication_landing AS stood
        ON
            stood.comm_communicationid = given.comm_communicationid
            AND stood.is_current
            AND stood.drop_id <> given.drop_id
    INNER JOIN staging.ic_communication_landing AS earlier
        ON
            earlier.comm_communicationid = given.comm_communicationid
            AND (
                (earlier.drop_id = stood.drop_id AND earlier.line_number = stood.line_number)
                OR (earlier.drop_id = coalesce(stood.party_drop_id, stood.drop_id) AND earlier.fate = 'joined')
            )
    WHERE
        given.drop_id = %(drop_id)s
        AND given.fate IN ('inserted', 'joined')
        AND {is_same}
    ORDER BY given.line_number ASC, earlier.fate = 'joined' ASC, earlier.line_number ASC
) AS same
WHERE l.drop_id = %(drop_id)s AND l.line_number = same.line_number
