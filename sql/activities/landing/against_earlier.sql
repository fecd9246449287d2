-- What a row is beside the version that stands: stale when older, unchanged when equal in every column, else an
-- update. A missing comm_updateddate counts as older than any; of equal dates the later drop wins.
-- Of a communication with several people the whole set is compared, in no order.
-- Grain: rows of one drop that have an earlier version. Parameters: drop_id. Returns how many there are of each fate.
-- Reads the temporary table ic_people (landing/people_sets.sql).
-- Finds the earlier version by ic_communication_landing_communication.
WITH seen AS (
    SELECT
        incoming.line_number,
        earlier.comm_updateddate IS NOT NULL
        AND (
            incoming.comm_updateddate IS NULL OR incoming.comm_updateddate < earlier.comm_updateddate
        ) AS is_stale,
        (
            incoming.comm_communicationid,
            incoming.comm_opportunityid,
            incoming.comm_caseid,
            incoming.comm_type,
            incoming.comm_action,
            incoming.comm_status,
            incoming.comm_priority,
            incoming.comm_datetime,
            incoming.comm_todatetime,
            incoming.comm_note,
            incoming.comm_subject,
            incoming.comm_email_clean,
            incoming.comm_createddate,
            incoming.comm_updateddate,
            incoming.comm_originaldatetime,
            incoming.comm_originaltodatetime
        ) IS DISTINCT FROM (
            earlier.comm_communicationid,
            earlier.comm_opportunityid,
            earlier.comm_caseid,
            earlier.comm_type,
            earlier.comm_action,
            earlier.comm_status,
            earlier.comm_priority,
            earlier.comm_datetime,
            earlier.comm_todatetime,
            earlier.comm_note,
            earlier.comm_subject,
            earlier.comm_email_clean,
            earlier.comm_createddate,
            earlier.comm_updateddate,
            earlier.comm_originaldatetime,
            earlier.comm_originaltodatetime
        )
        OR given.people IS DISTINCT FROM stood.people
        OR (
            given.people IS NULL
            AND (
                incoming.person_id,
                incoming.person_firstname,
                incoming.person_lastname,
                incoming.person_emailaddress,
                incoming.company_id,
                incoming.company_name
            ) IS DISTINCT FROM (
                earlier.person_id,
                earlier.person_firstname,
                earlier.person_lastname,
                earlier.person_emailaddress,
                earlier.company_id,
                earlier.company_name
            )
        ) AS is_other
    FROM staging.ic_communication_landing AS incoming
    INNER JOIN staging.ic_communication_landing AS earlier
        ON earlier.comm_communicationid = incoming.comm_communicationid
    LEFT JOIN ic_people AS given
        ON
            given.comm_communicationid = incoming.comm_communicationid
            AND given.drop_id = coalesce(incoming.party_drop_id, incoming.drop_id)
    LEFT JOIN ic_people AS stood
        ON
            stood.comm_communicationid = earlier.comm_communicationid
            AND stood.drop_id = coalesce(earlier.party_drop_id, earlier.drop_id)
    WHERE
        incoming.drop_id = %(drop_id)s
        AND incoming.fate = 'inserted'
        AND earlier.is_current
        AND earlier.drop_id <> incoming.drop_id
),

decided AS (
    UPDATE staging.ic_communication_landing AS l
    SET
        fate = CASE WHEN seen.is_stale THEN 'stale' WHEN seen.is_other THEN 'updated' ELSE 'unchanged' END,
        is_current = seen.is_other AND NOT seen.is_stale
    FROM seen
    WHERE l.drop_id = %(drop_id)s AND l.line_number = seen.line_number
    RETURNING l.fate
)

SELECT
    fate,
    count(*) AS landed_rows
FROM decided
GROUP BY fate
