-- Brings master rows to the current version of their communication: typed columns as landed, the activity type by
-- staging.classify_activity_type, the HubSpot ids looked up on the way (a rewrite afterwards costs more than the
-- load). Rows that stand as they should are not written, and ids stay what they were.
-- Grain: one communication. Parameters: those of {slice}, a condition on l. Uses ic_communication_landing_datetime.
MERGE INTO staging.ic_communication_master AS m
USING (
    -- The function is called once for each distinct triple, not for each row.
    WITH kind AS MATERIALIZED (
        SELECT
            k.comm_type,
            k.comm_priority,
            k.has_case,
            staging.classify_activity_type(
                k.comm_type, k.comm_priority, CASE WHEN k.has_case THEN 1 END
            ) AS derived_activity_type
        FROM (
            SELECT DISTINCT
                l.comm_type,
                coalesce(l.comm_priority, '') AS comm_priority,
                l.comm_caseid IS NOT NULL AS has_case
            FROM staging.ic_communication_landing AS l
            WHERE l.is_current AND {slice}
        ) AS k
    )

    SELECT
        l.comm_communicationid,
        l.comm_opportunityid,
        l.comm_caseid,
        l.comm_type,
        l.comm_action,
        l.comm_status,
        l.comm_priority,
        l.comm_datetime,
        l.comm_todatetime,
        l.comm_note,
        l.comm_subject,
        l.comm_email_clean,
        l.comm_createddate,
        l.comm_updateddate,
        l.comm_originaldatetime,
        l.comm_originaltodatetime,
        l.person_id,
        l.person_firstname,
        l.person_lastname,
        l.person_emailaddress,
        l.company_id,
        l.company_name,
        kind.derived_activity_type,
        contact.hubspot_contact_id,
        company.hubspot_company_id,
        deal.hubspot_deal_id,
        d.drop_key,
        l.line_number
    FROM staging.ic_communication_landing AS l
    INNER JOIN staging.ic_drop AS d ON d.drop_id = l.drop_id
    INNER JOIN kind
        ON
            kind.comm_type = l.comm_type
            AND kind.comm_priority = coalesce(l.comm_priority, '')
            AND kind.has_case = (l.comm_caseid IS NOT NULL)
    LEFT JOIN staging.contacts_reconciliation AS contact ON contact.legacy_contact_id = l.person_id
    LEFT JOIN staging.companies_reconciliation AS company ON company.legacy_company_id = l.company_id
    LEFT JOIN staging.deals_reconciliation AS deal ON deal.legacy_deal_id = l.comm_opportunityid
    WHERE l.is_current AND {slice}
) AS s
    ON m.comm_communicationid = s.comm_communicationid
WHEN MATCHED
AND (m.source_drop, m.source_line, m.derived_activity_type)
IS DISTINCT FROM (s.drop_key, s.line_number, s.derived_activity_type) THEN
    UPDATE
        SET
            comm_opportunityid = s.comm_opportunityid,
            comm_caseid = s.comm_caseid,
            comm_type = s.comm_type,
            comm_action = s.comm_action,
            comm_status = s.comm_status,
            comm_priority = s.comm_priority,
            comm_datetime = s.comm_datetime,
            comm_todatetime = s.comm_todatetime,
            comm_note = s.comm_note,
            comm_subject = s.comm_subject,
            comm_email_clean = s.comm_email_clean,
            comm_createddate = s.comm_createddate,
            comm_updateddate = s.comm_updateddate,
            comm_originaldatetime = s.comm_originaldatetime,
            comm_originaltodatetime = s.comm_originaltodatetime,
            person_id = s.person_id,
            person_firstname = s.person_firstname,
            person_lastname = s.person_lastname,
            person_emailaddress = s.person_emailaddress,
            company_id = s.company_id,
            company_name = s.company_name,
            derived_activity_type = s.derived_activity_type,
            is_task_eligible = s.derived_activity_type = 'tasks',
            hubspot_contact_id = s.hubspot_contact_id,
            hubspot_company_id = s.hubspot_company_id,
            hubspot_deal_id = s.hubspot_deal_id,
            is_orphaned = num_nonnulls(s.hubspot_contact_id, s.hubspot_company_id, s.hubspot_deal_id) = 0,
            staging_status = 'pending',
            error_message = NULL,
            processed_at = NULL,
            last_updated = now(),
            source_drop = s.drop_key,
            source_line = s.line_number,
            row_hash = hash_record_extended(
                row(
                    s.comm_communicationid,
                    s.comm_opportunityid,
                    s.comm_caseid,
                    s.comm_type,
                    s.comm_action,
                    s.comm_status,
                    s.comm_priority,
                    s.comm_datetime,
                    s.comm_todatetime,
                    s.comm_note,
                    s.comm_subject,
                    s.comm_email_clean,
                    s.comm_createddate,
                    s.comm_updateddate,
                    s.comm_originaldatetime,
                    s.comm_originaltodatetime,
                    s.person_id,
                    s.person_firstname,
                    s.person_lastname,
                    s.person_emailaddress,
                    s.company_id,
                    s.company_name
                ),
                0
            )
WHEN NOT MATCHED THEN INSERT (
    comm_communicationid,
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
    comm_originaltodatetime,
    person_id,
    person_firstname,
    person_lastname,
    person_emailaddress,
    company_id,
    company_name,
    derived_activity_type,
    is_task_eligible,
    hubspot_contact_id,
    hubspot_company_id,
    hubspot_deal_id,
    is_orphaned,
    source_drop,
    source_line,
    row_hash
) VALUES (
    s.comm_communicationid,
    s.comm_opportunityid,
    s.comm_caseid,
    s.comm_type,
    s.comm_action,
    s.comm_status,
    s.comm_priority,
    s.comm_datetime,
    s.comm_todatetime,
    s.comm_note,
    s.comm_subject,
    s.comm_email_clean,
    s.comm_createddate,
    s.comm_updateddate,
    s.comm_originaldatetime,
    s.comm_originaltodatetime,
    s.person_id,
    s.person_firstname,
    s.person_lastname,
    s.person_emailaddress,
    s.company_id,
    s.company_name,
    s.derived_activity_type,
    s.derived_activity_type = 'tasks',
    s.hubspot_contact_id,
    s.hubspot_company_id,
    s.hubspot_deal_id,
    num_nonnulls(s.hubspot_contact_id, s.hubspot_company_id, s.hubspot_deal_id) = 0,
    s.drop_key,
    s.line_number,
    hash_record_extended(
        row(
            s.comm_communicationid,
            s.comm_opportunityid,
            s.comm_caseid,
            s.comm_type,
            s.comm_action,
            s.comm_status,
            s.comm_priority,
            s.comm_datetime,
            s.comm_todatetime,
            s.comm_note,
            s.comm_subject,
            s.comm_email_clean,
            s.comm_createddate,
            s.comm_updateddate,
            s.comm_originaldatetime,
            s.comm_originaltodatetime,
            s.person_id,
            s.person_firstname,
            s.person_lastname,
            s.person_emailaddress,
            s.company_id,
            s.company_name
        ),
        0
    )
)
