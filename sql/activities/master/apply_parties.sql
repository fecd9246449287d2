-- The people and companies of a slice that do not stand yet. No parameters. Reads the temporary table ic_party
-- (master/parties.sql), after master/forget_parties.sql.
INSERT INTO staging.ic_communication_party (
    ic_communication_master_id,
    comm_communicationid,
    position,
    person_id,
    person_firstname,
    person_lastname,
    person_emailaddress,
    company_id,
    company_name,
    hubspot_contact_id,
    hubspot_company_id,
    source_line
)
SELECT
    ic_communication_master_id,
    comm_communicationid,
    position,
    person_id,
    person_firstname,
    person_lastname,
    person_emailaddress,
    company_id,
    company_name,
    hubspot_contact_id,
    hubspot_company_id,
    source_line
FROM ic_party
ON CONFLICT (ic_communication_master_id, position) DO NOTHING
