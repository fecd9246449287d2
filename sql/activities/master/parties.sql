-- The people and companies of each communication beyond the first, each once, in the order of the file: those of its
-- current version, with their HubSpot ids looked up on the way. Grain: communication, position. Parameters: those of
-- {slice}, a condition on l. Reads only drops that have joined rows.
SELECT
    party.ic_communication_master_id,
    party.comm_communicationid,
    row_number() OVER (PARTITION BY party.ic_communication_master_id ORDER BY party.source_line) + 1 AS position,
    party.person_id,
    party.person_firstname,
    party.person_lastname,
    party.person_emailaddress,
    party.company_id,
    party.company_name,
    contact.hubspot_contact_id,
    company.hubspot_company_id,
    party.source_line
FROM (
    SELECT
        m.id AS ic_communication_master_id,
        l.comm_communicationid,
        j.person_id,
        j.person_firstname,
        j.person_lastname,
        j.person_emailaddress,
        j.company_id,
        j.company_name,
        min(j.line_number) AS source_line
    FROM staging.ic_communication_landing AS l
    INNER JOIN staging.ic_communication_landing AS j
        ON
            j.comm_communicationid = l.comm_communicationid
            AND j.drop_id = coalesce(l.party_drop_id, l.drop_id)
            AND j.fate = 'joined'
    INNER JOIN staging.ic_communication_master AS m ON m.comm_communicationid = l.comm_communicationid
    WHERE
        l.is_current
        AND j.drop_id IN (
            SELECT d.drop_id FROM staging.ic_drop AS d
            WHERE d.joined > 0
        )
        AND row(
            j.person_id,
            j.person_firstname,
            j.person_lastname,
            j.person_emailaddress,
            j.company_id,
            j.company_name
        ) IS DISTINCT FROM row(
            l.person_id,
            l.person_firstname,
            l.person_lastname,
            l.person_emailaddress,
            l.company_id,
            l.company_name
        )
        AND {slice}
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
) AS party
LEFT JOIN staging.contacts_reconciliation AS contact ON contact.legacy_contact_id = party.person_id
LEFT JOIN staging.companies_reconciliation AS company ON company.legacy_company_id = party.company_id
