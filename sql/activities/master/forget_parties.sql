-- People and companies of a slice that its communications have no more, or have otherwise. Parameters: those of
-- {slice}, a condition on l. Reads the temporary table ic_party (master/parties.sql).
DELETE FROM staging.ic_communication_party AS p
USING staging.ic_communication_landing AS l
WHERE
    l.comm_communicationid = p.comm_communicationid
    AND l.is_current
    AND {slice}
    AND NOT EXISTS (
        SELECT 1 FROM ic_party AS given
        WHERE
            given.ic_communication_master_id = p.ic_communication_master_id
            AND given.position = p.position
            AND given.person_id IS NOT DISTINCT FROM p.person_id
            AND given.person_firstname IS NOT DISTINCT FROM p.person_firstname
            AND given.person_lastname IS NOT DISTINCT FROM p.person_lastname
            AND given.person_emailaddress IS NOT DISTINCT FROM p.person_emailaddress
            AND given.company_id IS NOT DISTINCT FROM p.company_id
            AND given.company_name IS NOT DISTINCT FROM p.company_name
            AND given.hubspot_contact_id IS NOT DISTINCT FROM p.hubspot_contact_id
            AND given.hubspot_company_id IS NOT DISTINCT FROM p.hubspot_company_id
            AND given.source_line IS NOT DISTINCT FROM p.source_line
    )
