-- The people and companies of each version that has several, each once and in no order: exports come in any. Of this
-- drop, and of what stands of its communications. Grain: drop and communication. Parameters: drop_id.
SELECT
    l.drop_id,
    l.comm_communicationid,
    array_agg(
        DISTINCT row(
            l.person_id,
            l.person_firstname,
            l.person_lastname,
            l.person_emailaddress,
            l.company_id,
            l.company_name
        )::text
    ) AS people
FROM staging.ic_communication_landing AS l
INNER JOIN (
    SELECT DISTINCT
        joined.drop_id,
        joined.comm_communicationid
    FROM staging.ic_communication_landing AS given
    INNER JOIN staging.ic_communication_landing AS joined
        ON joined.comm_communicationid = given.comm_communicationid AND joined.fate = 'joined'
    WHERE given.drop_id = %(drop_id)s AND given.fate = 'inserted'
) AS several ON several.drop_id = l.drop_id AND several.comm_communicationid = l.comm_communicationid
WHERE l.fate IN ('inserted', 'updated', 'unchanged', 'joined')
GROUP BY l.drop_id, l.comm_communicationid
