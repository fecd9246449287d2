-- Every view, as it is now: an upgrade runs this file after the numbered migrations (ic_assets.core.schema). In order:
-- a view stands after those that it reads. A view whose columns change here is dropped and made anew by itself.
-- One statement each, CREATE OR REPLACE VIEW at the start of a line. No parameters.
--
-- The mapping rules of the seven activity types as views, one row per master row of the type: the columns of the
-- derivative table in its order, then comm_communicationid. Free text is matched trimmed and in lower case.
-- Blank text never reaches the master (it is NULL there), so coalesce is enough.

-- The HubSpot records and addresses of a communication's people and companies beyond the master row's, each once, in
-- the order of the file. Grain: one communication that has some.
CREATE OR REPLACE VIEW staging.v_ic_communication_people AS
SELECT
    found.ic_communication_master_id,
    array_agg(found.value::bigint ORDER BY found.place) FILTER (WHERE found.kind = 'contact') AS contact_ids,
    array_agg(found.value::bigint ORDER BY found.place) FILTER (WHERE found.kind = 'company') AS company_ids,
    array_agg(found.value ORDER BY found.place) FILTER (WHERE found.kind = 'address') AS addresses
FROM (
    SELECT
        p.ic_communication_master_id,
        one.kind,
        one.value,
        min(p.position) AS place
    FROM staging.ic_communication_party AS p
    INNER JOIN staging.ic_communication_master AS m ON m.id = p.ic_communication_master_id
    CROSS JOIN
        LATERAL (
            VALUES
            ('contact', p.hubspot_contact_id::text, m.hubspot_contact_id::text),
            ('company', p.hubspot_company_id::text, m.hubspot_company_id::text),
            (
                'address',
                substring(staging.ic_trim(p.person_emailaddress), '^[^[:space:]@;,<>]+@[^[:space:]@;,<>]+$'),
                NULL
            )
        ) AS one (kind, value, of_master)
    WHERE one.value IS NOT NULL AND one.value IS DISTINCT FROM one.of_master
    GROUP BY 1, 2, 3
) AS found
GROUP BY found.ic_communication_master_id;

-- The references of parties that their communication does not carry already, each once: what rates, misses and
-- what-ifs count beside those of the master row.
CREATE OR REPLACE VIEW staging.v_ic_party_reference AS
SELECT DISTINCT
    m.id AS ic_communication_master_id,
    m.comm_datetime,
    reference.entity_type,
    reference.legacy_id,
    reference.hubspot_id
FROM staging.ic_communication_party AS p
INNER JOIN staging.ic_communication_master AS m ON m.id = p.ic_communication_master_id
CROSS JOIN
    LATERAL (
        VALUES
        ('contact', p.person_id, p.hubspot_contact_id, m.person_id),
        ('company', p.company_id, p.hubspot_company_id, m.company_id)
    ) AS reference (entity_type, legacy_id, hubspot_id, of_master)
WHERE reference.legacy_id IS NOT NULL AND reference.legacy_id IS DISTINCT FROM reference.of_master;

-- What several of the seven need, once: a view, so that only the columns that a caller asks for are computed and only
-- the mapping tables joined that they need. The line '*' stands in where no other names the value; a line may leave its
-- result empty. Durations and order come from the instants (..._at): where the clocks change, local times give neither.
CREATE OR REPLACE VIEW staging.v_ic_communication_normalised AS
SELECT
    m.*, -- noqa: AM04
    run.reference_time,
    run.source_timezone,
    m.comm_datetime AT TIME ZONE run.source_timezone AS start_at,
    m.comm_todatetime AT TIME ZONE run.source_timezone AS end_at,
    nullif(
        concat_ws(
            ' ', nullif(staging.ic_trim(m.person_firstname), ''), nullif(staging.ic_trim(m.person_lastname), '')
        ),
        ''
    ) AS person_name,
    coalesce(direction_rule.direction, other_direction.direction) AS direction,
    coalesce(m.comm_subject || E'\n\n' || m.comm_note, m.comm_subject, m.comm_note) AS subject_and_note,
    run.own_email,
    CASE
        WHEN run.task_due = 'datetime' THEN m.comm_datetime
        ELSE coalesce(m.comm_todatetime, m.comm_datetime + interval '1 day')
    END AS due_date,
    CASE WHEN status_rule.comm_status IS NULL THEN other_status.result ELSE status_rule.result END AS status_result,
    CASE WHEN status_rule.comm_status IS NULL THEN other_status.disposition ELSE status_rule.disposition END
        AS disposition,
    CASE WHEN priority_rule.comm_priority IS NULL THEN other_priority.result ELSE priority_rule.result END
        AS priority_result
FROM staging.ic_communication_master AS m
CROSS JOIN (
    SELECT
        staging.ic_reference_time() AS reference_time,
        staging.ic_source_timezone() AS source_timezone,
        current_setting('ic_assets.task_due', TRUE) AS task_due,
        nullif(current_setting('ic_assets.own_email', TRUE), '') AS own_email
    FROM (SELECT 1) AS one
    -- Else each of these is worked out for every row.
    OFFSET 0 -- noqa: AM09
) AS run
LEFT JOIN staging.ic_direction_rule AS direction_rule
    ON direction_rule.comm_action = staging.ic_key(m.comm_action)
LEFT JOIN staging.ic_direction_rule AS other_direction ON other_direction.comm_action = '*'
LEFT JOIN staging.ic_status_rule AS status_rule
    ON
        status_rule.activity_type = m.derived_activity_type
        AND status_rule.comm_status = staging.ic_key(m.comm_status)
LEFT JOIN staging.ic_status_rule AS other_status
    ON other_status.activity_type = m.derived_activity_type AND other_status.comm_status = '*'
LEFT JOIN staging.ic_priority_rule AS priority_rule
    ON priority_rule.comm_priority = staging.ic_key(m.comm_priority)
LEFT JOIN staging.ic_priority_rule AS other_priority ON other_priority.comm_priority = '*';

CREATE OR REPLACE VIEW staging.v_ic_calls_staging AS
SELECT
    m.id AS ic_communication_master_id,
    m.comm_datetime AS activity_date,
    NULL::text AS activity_assigned_to,
    NULL::text AS activity_created_by,
    m.comm_createddate AS create_date,
    m.comm_updateddate AS last_modified_date,
    coalesce(m.comm_subject, 'Call - ' || coalesce(m.person_name, 'Unknown')) AS call_title,
    m.comm_note AS call_notes,
    m.direction AS call_direction,
    CASE
        WHEN m.end_at > m.start_at AND m.end_at - m.start_at <= interval '24 hours'
            THEN (extract(EPOCH FROM m.end_at - m.start_at) * 1000)::bigint
    END AS call_duration_ms,
    m.status_result AS call_status,
    m.comm_status AS call_outcome,
    'Integration' AS call_source,
    NULL::text AS from_number,
    NULL::text AS to_number,
    m.hubspot_contact_id AS associated_contact_id,
    m.hubspot_company_id AS associated_company_id,
    m.hubspot_deal_id AS associated_deal_id,
    m.comm_communicationid,
    m.disposition AS call_disposition
FROM staging.v_ic_communication_normalised AS m
WHERE m.derived_activity_type = 'calls';

CREATE OR REPLACE VIEW staging.v_ic_emails_staging AS
SELECT
    m.id AS ic_communication_master_id,
    m.comm_datetime AS activity_date,
    NULL::text AS activity_assigned_to,
    NULL::text AS activity_created_by,
    m.comm_createddate AS create_date,
    m.comm_updateddate AS last_modified_date,
    coalesce(m.comm_subject, 'Email - No Subject') AS email_subject,
    coalesce(m.comm_note, CASE WHEN typed.is_text THEN m.comm_email_clean END) AS email_body,
    CASE m.direction WHEN 'INBOUND' THEN 'INCOMING' WHEN 'OUTBOUND' THEN 'OUTGOING' END AS email_direction,
    CASE WHEN m.direction = 'INBOUND' THEN theirs.address ELSE m.own_email END AS email_from_address,
    CASE
        WHEN m.direction = 'INBOUND' THEN m.own_email
        WHEN people.addresses IS NULL THEN theirs.address
        ELSE staging.ic_all_addresses(theirs.address, people.addresses)
    END AS email_to_address,
    m.status_result AS email_send_status,
    NULL::numeric AS email_open_rate,
    NULL::numeric AS email_click_rate,
    NULL::numeric AS email_reply_rate,
    0 AS number_of_email_opens,
    0 AS number_of_email_clicks,
    0 AS number_of_email_replies,
    m.hubspot_contact_id AS associated_contact_id,
    m.hubspot_company_id AS associated_company_id,
    m.hubspot_deal_id AS associated_deal_id,
    m.comm_communicationid
FROM staging.v_ic_communication_normalised AS m
-- What is not plainly an address was read before, all of it (activities/engine/derivatives/addresses.py); what was not
-- is one.
LEFT JOIN staging.ic_address_text AS typed ON typed.written = md5(m.comm_email_clean)::uuid
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(
                CASE WHEN typed.written IS NULL THEN m.comm_email_clean ELSE typed.addresses END, m.person_emailaddress
            ) AS address
    ) AS theirs
LEFT JOIN staging.v_ic_communication_people AS people ON people.ic_communication_master_id = m.id
WHERE m.derived_activity_type = 'emails';

-- meeting_end_at is the end that the payload carries: there are instants that no local time names (start + 1 hour, in
-- the first of two hours that the clocks show twice).
CREATE OR REPLACE VIEW staging.v_ic_meetings_staging AS
SELECT
    m.id AS ic_communication_master_id,
    m.comm_datetime AS activity_date,
    NULL::text AS activity_assigned_to,
    NULL::text AS activity_created_by,
    m.comm_createddate AS create_date,
    m.comm_updateddate AS last_modified_date,
    coalesce(
        m.comm_subject, 'Meeting with ' || coalesce(m.person_name, m.company_name, 'Unknown')
    ) AS meeting_name,
    m.comm_note AS meeting_description,
    m.comm_datetime AS meeting_start_time,
    CASE
        -- Between the two, a local time that the clocks skip may be the earlier one and the later instant.
        WHEN m.end_at >= m.start_at AND m.comm_todatetime >= m.comm_datetime THEN m.comm_todatetime
        ELSE m.meeting_end_at AT TIME ZONE m.source_timezone
    END AS meeting_end_time,
    m.comm_note AS internal_meeting_notes,
    NULL::text AS meeting_location,
    NULL::text AS location_type,
    m.meeting_outcome,
    'Import' AS meeting_source,
    coalesce(m.meeting_outcome = 'COMPLETED', FALSE)::integer AS outcome_completed_count,
    coalesce(m.meeting_outcome = 'CANCELED', FALSE)::integer AS outcome_canceled_count,
    coalesce(m.meeting_outcome = 'NO_SHOW', FALSE)::integer AS outcome_no_show_count,
    coalesce(m.meeting_outcome = 'RESCHEDULED', FALSE)::integer AS outcome_rescheduled_count,
    m.hubspot_contact_id AS associated_contact_id,
    m.hubspot_company_id AS associated_company_id,
    m.hubspot_deal_id AS associated_deal_id,
    m.comm_communicationid,
    m.meeting_end_at
FROM (
    SELECT
        n.*, -- noqa: AM04
        CASE WHEN n.end_at >= n.start_at THEN n.end_at ELSE n.start_at + interval '1 hour' END AS meeting_end_at,
        CASE
            WHEN n.status_result <> 'BY_DATE' THEN n.status_result
            WHEN n.status_result IS NULL THEN NULL
            WHEN n.comm_datetime <= n.reference_time THEN 'COMPLETED'
            ELSE 'SCHEDULED'
        END AS meeting_outcome
    FROM staging.v_ic_communication_normalised AS n
) AS m
WHERE m.derived_activity_type = 'meetings';

CREATE OR REPLACE VIEW staging.v_ic_notes_staging AS
SELECT
    m.id AS ic_communication_master_id,
    m.comm_datetime AS activity_date,
    NULL::text AS activity_assigned_to,
    NULL::text AS activity_created_by,
    m.comm_createddate AS create_date,
    m.comm_updateddate AS last_modified_date,
    coalesce(m.subject_and_note, 'Note (no content)') AS note_body,
    m.hubspot_contact_id AS associated_contact_id,
    m.hubspot_company_id AS associated_company_id,
    m.hubspot_deal_id AS associated_deal_id,
    m.comm_communicationid
FROM staging.v_ic_communication_normalised AS m
WHERE m.derived_activity_type = 'notes';

CREATE OR REPLACE VIEW staging.v_ic_tasks_staging AS
SELECT
    m.id AS ic_communication_master_id,
    m.comm_datetime AS activity_date,
    NULL::text AS activity_assigned_to,
    NULL::text AS activity_created_by,
    m.comm_createddate AS create_date,
    m.comm_updateddate AS last_modified_date,
    coalesce(
        m.comm_subject, 'Task - ' || coalesce(m.company_name, m.person_name, 'General')
    ) AS task_title,
    m.comm_note AS task_notes,
    m.due_date,
    m.status_result AS task_status,
    CASE WHEN m.status_result = 'COMPLETED' THEN coalesce(m.comm_updateddate, m.comm_datetime) END AS completed_at,
    m.priority_result AS task_priority,
    'TODO' AS task_type,
    m.due_date < m.reference_time AND coalesce(m.status_result NOT IN ('COMPLETED', 'DEFERRED'), TRUE)
        AS is_overdue,
    CASE WHEN m.comm_originaldatetime <> m.comm_datetime THEN m.comm_originaldatetime END AS reminder_date,
    CASE WHEN m.comm_caseid IS NULL THEN 'task' ELSE 'case' END AS source_type,
    m.comm_caseid AS source_case_id,
    m.hubspot_contact_id AS associated_contact_id,
    m.hubspot_company_id AS associated_company_id,
    m.hubspot_deal_id AS associated_deal_id,
    m.comm_communicationid
FROM staging.v_ic_communication_normalised AS m
WHERE m.derived_activity_type = 'tasks';

CREATE OR REPLACE VIEW staging.v_ic_communications_staging AS
SELECT
    m.id AS ic_communication_master_id,
    m.comm_datetime AS activity_date,
    NULL::text AS activity_assigned_to,
    NULL::text AS activity_created_by,
    m.comm_createddate AS create_date,
    m.comm_updateddate AS last_modified_date,
    coalesce(m.subject_and_note, 'Message') AS communication_body,
    coalesce(by_both.channel_type, by_type.channel_type, by_action.channel_type, by_none.channel_type) AS channel_type,
    'CRM' AS logged_from,
    m.hubspot_contact_id AS associated_contact_id,
    m.hubspot_company_id AS associated_company_id,
    m.hubspot_deal_id AS associated_deal_id,
    m.comm_communicationid
FROM staging.v_ic_communication_normalised AS m
-- The line that classified it (classify_activity_type), by four joins: one look-up by rank costs ten times as much.
LEFT JOIN staging.ic_activity_classification AS by_both
    ON by_both.comm_type = staging.ic_key(m.comm_type) AND by_both.comm_action = staging.ic_key(m.comm_action)
LEFT JOIN staging.ic_activity_classification AS by_type
    ON by_type.comm_type = staging.ic_key(m.comm_type) AND by_type.comm_action = '*'
LEFT JOIN staging.ic_activity_classification AS by_action
    ON by_action.comm_type = '*' AND by_action.comm_action = staging.ic_key(m.comm_action)
LEFT JOIN staging.ic_activity_classification AS by_none
    ON by_none.comm_type = '*' AND by_none.comm_action = '*'
WHERE m.derived_activity_type = 'communications';

CREATE OR REPLACE VIEW staging.v_ic_postal_mail_staging AS
SELECT
    m.id AS ic_communication_master_id,
    m.comm_datetime AS activity_date,
    NULL::text AS activity_assigned_to,
    NULL::text AS activity_created_by,
    m.comm_createddate AS create_date,
    m.comm_updateddate AS last_modified_date,
    coalesce(m.subject_and_note, 'Postal mail sent') AS postal_mail_body,
    left(coalesce(m.subject_and_note, 'Postal mail sent'), 500) AS body_preview,
    m.hubspot_contact_id AS associated_contact_id,
    m.hubspot_company_id AS associated_company_id,
    m.hubspot_deal_id AS associated_deal_id,
    m.comm_communicationid
FROM staging.v_ic_communication_normalised AS m
WHERE m.derived_activity_type = 'postal_mail';

CREATE OR REPLACE VIEW staging.v_ic_activities_summary AS
SELECT
    activity.activity_type,
    count(m.id) AS total,
    count(m.hubspot_contact_id) AS with_contact,
    count(m.hubspot_company_id) AS with_company,
    count(m.hubspot_deal_id) AS with_deal,
    count(*) FILTER (WHERE m.is_orphaned) AS orphaned,
    count(*) FILTER (WHERE m.staging_status = 'processed') AS processed,
    count(*) FILTER (WHERE m.staging_status = 'error') AS in_error,
    min(m.comm_datetime) AS first_date,
    max(m.comm_datetime) AS last_date
FROM
    unnest(
        ARRAY['calls', 'emails', 'meetings', 'notes', 'tasks', 'communications', 'postal_mail']
    ) AS activity (activity_type)
LEFT JOIN staging.ic_communication_master AS m ON m.derived_activity_type = activity.activity_type
GROUP BY activity.activity_type;

-- Every row of the seven derivative tables with what decides whether it may be sent. Grain: one derivative row.
CREATE OR REPLACE VIEW staging.v_ic_derivative AS
SELECT
    'calls' AS activity_type,
    ic_communication_master_id,
    activity_date,
    api_push_status,
    hubspot_api_payload
FROM staging.ic_calls
UNION ALL
SELECT
    'emails' AS activity_type,
    ic_communication_master_id,
    activity_date,
    api_push_status,
    hubspot_api_payload
FROM staging.ic_emails
UNION ALL
SELECT
    'meetings' AS activity_type,
    ic_communication_master_id,
    activity_date,
    api_push_status,
    hubspot_api_payload
FROM staging.ic_meetings
UNION ALL
SELECT
    'notes' AS activity_type,
    ic_communication_master_id,
    activity_date,
    api_push_status,
    hubspot_api_payload
FROM staging.ic_notes
UNION ALL
SELECT
    'tasks' AS activity_type,
    ic_communication_master_id,
    activity_date,
    api_push_status,
    hubspot_api_payload
FROM staging.ic_tasks
UNION ALL
SELECT
    'communications' AS activity_type,
    ic_communication_master_id,
    activity_date,
    api_push_status,
    hubspot_api_payload
FROM staging.ic_communications
UNION ALL
SELECT
    'postal_mail' AS activity_type,
    ic_communication_master_id,
    activity_date,
    api_push_status,
    hubspot_api_payload
FROM staging.ic_postal_mail;

-- Every derivative row beside its master row. A full join on both the row and the type: a master row without its
-- derivative is missing, a derivative whose master row has another type is extra.
CREATE OR REPLACE VIEW staging.v_ic_derivative_coverage AS
SELECT
    coalesce(m.derived_activity_type, d.activity_type) AS activity_type,
    count(m.id) AS master_count,
    count(d.ic_communication_master_id) AS derivative_count,
    count(*) FILTER (WHERE d.ic_communication_master_id IS NULL) AS missing_count,
    count(*) FILTER (WHERE m.id IS NULL) AS extra_count
FROM staging.ic_communication_master AS m
FULL JOIN staging.v_ic_derivative AS d
    ON d.ic_communication_master_id = m.id AND d.activity_type = m.derived_activity_type
GROUP BY coalesce(m.derived_activity_type, d.activity_type);

-- What shall stand in HubSpot, a view for each of its object types; ic_assets/hubspot/ledger/outgoing.py says what the
-- ledger makes of it. Grain: one record. activity_type: the type of the communication, which differs for the notes that
-- continue an over-long body (part from 2). A derivative that failed on this side has no valid payload and is left out;
-- one that shows as failed since some portal declined it has, and is not: whether it is failed in the portal that is
-- pushed to, the ledger says.
CREATE OR REPLACE VIEW staging.v_ic_calls_outgoing AS
SELECT
    m.comm_communicationid::text COLLATE "C" AS record_key,
    1 AS part,
    'calls' AS activity_type,
    d.activity_date,
    d.hubspot_api_payload AS payload,
    m.is_orphaned AS is_held
FROM staging.ic_calls AS d
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
WHERE
    m.derived_activity_type = 'calls'
    AND d.hubspot_api_payload IS NOT NULL
    AND (
        d.api_push_status <> 'failed'
        OR hubspot.ic_was_declined(m.comm_communicationid::text, 'calls', d.hubspot_api_payload)
    );

CREATE OR REPLACE VIEW staging.v_ic_emails_outgoing AS
SELECT
    m.comm_communicationid::text COLLATE "C" AS record_key,
    1 AS part,
    'emails' AS activity_type,
    d.activity_date,
    d.hubspot_api_payload AS payload,
    m.is_orphaned AS is_held
FROM staging.ic_emails AS d
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
WHERE
    m.derived_activity_type = 'emails'
    AND d.hubspot_api_payload IS NOT NULL
    AND (
        d.api_push_status <> 'failed'
        OR hubspot.ic_was_declined(m.comm_communicationid::text, 'emails', d.hubspot_api_payload)
    );

CREATE OR REPLACE VIEW staging.v_ic_meetings_outgoing AS
SELECT
    m.comm_communicationid::text COLLATE "C" AS record_key,
    1 AS part,
    'meetings' AS activity_type,
    d.activity_date,
    d.hubspot_api_payload AS payload,
    m.is_orphaned AS is_held
FROM staging.ic_meetings AS d
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
WHERE
    m.derived_activity_type = 'meetings'
    AND d.hubspot_api_payload IS NOT NULL
    AND (
        d.api_push_status <> 'failed'
        OR hubspot.ic_was_declined(m.comm_communicationid::text, 'meetings', d.hubspot_api_payload)
    );

CREATE OR REPLACE VIEW staging.v_ic_notes_outgoing AS
SELECT
    m.comm_communicationid::text COLLATE "C" AS record_key,
    1 AS part,
    'notes' AS activity_type,
    d.activity_date,
    d.hubspot_api_payload AS payload,
    m.is_orphaned AS is_held
FROM staging.ic_notes AS d
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
WHERE
    m.derived_activity_type = 'notes'
    AND d.hubspot_api_payload IS NOT NULL
    AND (
        d.api_push_status <> 'failed'
        OR hubspot.ic_was_declined(m.comm_communicationid::text, 'notes', d.hubspot_api_payload)
    )
UNION ALL
SELECT
    m.comm_communicationid::text COLLATE "C" AS record_key,
    p.part,
    p.activity_type,
    d.activity_date,
    p.payload,
    m.is_orphaned AS is_held
FROM staging.ic_payload_part AS p
INNER JOIN staging.ic_communication_master AS m
    ON m.id = p.ic_communication_master_id AND m.derived_activity_type = p.activity_type
INNER JOIN staging.v_ic_derivative AS d
    ON d.ic_communication_master_id = p.ic_communication_master_id AND d.activity_type = p.activity_type
WHERE
    d.hubspot_api_payload IS NOT NULL
    AND (
        d.api_push_status <> 'failed'
        OR hubspot.ic_was_declined(m.comm_communicationid::text, p.activity_type, d.hubspot_api_payload)
    );

CREATE OR REPLACE VIEW staging.v_ic_tasks_outgoing AS
SELECT
    m.comm_communicationid::text COLLATE "C" AS record_key,
    1 AS part,
    'tasks' AS activity_type,
    d.activity_date,
    d.hubspot_api_payload AS payload,
    m.is_orphaned AS is_held
FROM staging.ic_tasks AS d
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
WHERE
    m.derived_activity_type = 'tasks'
    AND d.hubspot_api_payload IS NOT NULL
    AND (
        d.api_push_status <> 'failed'
        OR hubspot.ic_was_declined(m.comm_communicationid::text, 'tasks', d.hubspot_api_payload)
    );

CREATE OR REPLACE VIEW staging.v_ic_communications_outgoing AS
SELECT
    m.comm_communicationid::text COLLATE "C" AS record_key,
    1 AS part,
    'communications' AS activity_type,
    d.activity_date,
    d.hubspot_api_payload AS payload,
    m.is_orphaned AS is_held
FROM staging.ic_communications AS d
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
WHERE
    m.derived_activity_type = 'communications'
    AND d.hubspot_api_payload IS NOT NULL
    AND (
        d.api_push_status <> 'failed'
        OR hubspot.ic_was_declined(m.comm_communicationid::text, 'communications', d.hubspot_api_payload)
    );

CREATE OR REPLACE VIEW staging.v_ic_postal_mail_outgoing AS
SELECT
    m.comm_communicationid::text COLLATE "C" AS record_key,
    1 AS part,
    'postal_mail' AS activity_type,
    d.activity_date,
    d.hubspot_api_payload AS payload,
    m.is_orphaned AS is_held
FROM staging.ic_postal_mail AS d
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
WHERE
    m.derived_activity_type = 'postal_mail'
    AND d.hubspot_api_payload IS NOT NULL
    AND (
        d.api_push_status <> 'failed'
        OR hubspot.ic_was_declined(m.comm_communicationid::text, 'postal_mail', d.hubspot_api_payload)
    );

-- Which type each communication has now, and which of them the source has deleted for good: what the push removes by.
CREATE OR REPLACE VIEW staging.v_ic_outgoing_source AS
SELECT
    m.comm_communicationid::text COLLATE "C" AS record_key, -- noqa: RF03
    m.derived_activity_type AS object_type
FROM staging.ic_communication_master AS m;

CREATE OR REPLACE VIEW staging.v_ic_outgoing_deleted AS
SELECT gone.comm_communicationid::text COLLATE "C" AS record_key -- noqa: RF03
FROM staging.ic_deleted_communication AS gone
WHERE
    NOT EXISTS (
        SELECT 1
        FROM staging.ic_communication_master AS m
        WHERE m.comm_communicationid = gone.comm_communicationid
    );

-- Months that a stage has brought up to what the master holds. The gates judge these and no others.
CREATE OR REPLACE VIEW staging.v_ic_month_ready AS
SELECT
    done.stage,
    done.comm_month,
    done.comm_month::timestamp AS window_start
FROM staging.ic_month_stage AS done
LEFT JOIN staging.ic_month_stage AS written
    ON written.comm_month = done.comm_month AND written.stage = 'master'
WHERE done.change_number >= coalesce(written.change_number, 0);

-- The portal that was pushed to last: the one that the derivatives' push columns speak of.
CREATE OR REPLACE VIEW hubspot.v_current_portal AS
SELECT portal_id
FROM hubspot.portal
WHERE last_pushed_at IS NOT NULL
ORDER BY last_pushed_at DESC, portal_id
LIMIT 1;

-- Grain: one communication of the master; push_status is NULL while no push has taken it up.
CREATE OR REPLACE VIEW staging.v_ic_push_status AS
SELECT
    m.comm_communicationid,
    m.derived_activity_type,
    l.portal_id,
    l.state AS push_status,
    l.action AS push_action,
    l.hubspot_id AS hubspot_engagement_id,
    l.attempts,
    l.last_error,
    l.error_category,
    l.correlation_id,
    l.pushed_at
FROM staging.ic_communication_master AS m
LEFT JOIN hubspot.push_ledger AS l
    ON
        l.portal_id = (SELECT c.portal_id FROM hubspot.v_current_portal AS c)
        AND l.record_key = m.comm_communicationid::text
        AND l.object_type = m.derived_activity_type
        AND l.part = 1;
