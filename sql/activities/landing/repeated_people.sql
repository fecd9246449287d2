-- Communications that a drop has more than once with different people or companies and all else equal, and the first
-- line of each. Rows that are equal in every column are a plain repetition. Grain: one communication. Parameters:
-- drop_id. Reads the temporary table ic_repeated (landing/repeated.sql).
SELECT
    comm_communicationid,
    min(line_number) AS first_line
FROM staging.ic_communication_landing
WHERE
    drop_id = %(drop_id)s
    AND comm_communicationid IN (SELECT again.comm_communicationid FROM ic_repeated AS again)
GROUP BY comm_communicationid
HAVING
    count(
        DISTINCT row(
            comm_opportunityid,
            comm_caseid,
            comm_type,
            comm_action,
            comm_status,
            comm_priority,
            comm_datetime,
            comm_todatetime,
            comm_note,
            comm_subject,
            comm_email_clean,
            comm_createddate,
            comm_updateddate,
            comm_originaldatetime,
            comm_originaltodatetime
        )
    ) = 1
    AND count(
        DISTINCT row(person_id, person_firstname, person_lastname, person_emailaddress, company_id, company_name)
    ) > 1
