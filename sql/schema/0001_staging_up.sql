-- The tables of the staging schema: what a drop holds, the master, the seven derivatives, and the books about them; and
-- the two functions that their checks call. Views and the other functions: views.sql, functions.sql.
-- Run once by the schema migration 0001; 0001_staging_down.sql takes it back. No parameters.
--
-- Indexes: each serves a query of sql/activities. Primary and unique keys serve the look-ups by id.

DO $$
BEGIN
    -- CREATE SCHEMA IF NOT EXISTS wants the right to create schemas even where the schema is there.
    IF to_regnamespace('staging') IS NULL THEN
        CREATE SCHEMA staging;
    END IF;
END $$;

-- White space of every kind: the characters for which Unicode (and Python's str.isspace) says so. btrim alone
-- would leave a no-break space standing.
CREATE FUNCTION staging.ic_trim(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN btrim(
    p_text,
    E' \t\n\x0b\f\r\x1c\x1d\x1e\x1f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006'
    '\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
);

-- How free text is compared with a list of values.
CREATE FUNCTION staging.ic_norm(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN lower(staging.ic_trim(p_text));

CREATE TABLE staging.ic_drop (
    drop_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    drop_key text NOT NULL UNIQUE,
    file_name text NOT NULL,
    content_sha256 text NOT NULL,
    byte_size bigint NOT NULL,
    encoding text,
    delimiter text,
    state text NOT NULL CHECK (state IN ('landed', 'refused')),
    rows_in bigint NOT NULL DEFAULT 0,
    inserted bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    first_date timestamp,
    last_date timestamp,
    months date[] NOT NULL DEFAULT '{}',
    missing_columns text[] NOT NULL DEFAULT '{}',
    unknown_columns text[] NOT NULL DEFAULT '{}',
    error_message text,
    landed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ic_drop_content_sha256 ON staging.ic_drop (content_sha256);

-- Grain: one readable row of one drop. is_current marks the version of a communication that the master shows.
-- fate: what the landing decided; NULL only between the copy and that decision, inside one transaction.
CREATE TABLE staging.ic_communication_landing (
    drop_id integer NOT NULL REFERENCES staging.ic_drop (drop_id) ON DELETE CASCADE,
    line_number bigint NOT NULL,
    fate text NOT NULL DEFAULT 'inserted'
    CHECK (fate IN ('inserted', 'updated', 'unchanged', 'superseded_in_drop', 'stale')),
    is_current boolean NOT NULL DEFAULT TRUE,
    comm_communicationid bigint NOT NULL,
    comm_opportunityid bigint,
    comm_caseid bigint,
    comm_type text NOT NULL,
    comm_action text,
    comm_status text,
    comm_priority text,
    comm_datetime timestamp NOT NULL,
    comm_todatetime timestamp,
    comm_note text,
    comm_subject text,
    comm_email_clean text,
    comm_createddate timestamp NOT NULL,
    comm_updateddate timestamp,
    comm_originaldatetime timestamp,
    comm_originaltodatetime timestamp,
    person_id bigint,
    person_firstname text,
    person_lastname text,
    person_emailaddress text,
    company_id bigint,
    company_name text,
    PRIMARY KEY (drop_id, line_number)
);
-- The landing's look-up of earlier versions, and the master's slice by month.
CREATE INDEX ic_communication_landing_communication
ON staging.ic_communication_landing (comm_communicationid);
CREATE INDEX ic_communication_landing_datetime ON staging.ic_communication_landing (comm_datetime);

CREATE TABLE staging.ic_rejected_row (
    drop_key text NOT NULL,
    line_number bigint NOT NULL,
    reason text NOT NULL CHECK (
        reason IN (
            'nul_byte', 'field_count', 'missing_required', 'unreadable_required', 'out_of_range',
            'superseded_in_drop', 'stale'
        )
    ),
    column_name text,
    comm_communicationid bigint,
    raw_row text NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (drop_key, line_number)
);

CREATE TABLE staging.ic_field_warning (
    drop_key text NOT NULL,
    line_number bigint NOT NULL,
    comm_communicationid bigint,
    column_name text NOT NULL,
    raw_value text,
    reason text NOT NULL,
    PRIMARY KEY (drop_key, line_number, column_name, reason)
);

-- Which months a drop, a reconciliation or a classification change has put out of date, as a rising number;
-- ic_month_stage says up to which number each stage has brought its month.
CREATE SEQUENCE staging.ic_change_number;
CREATE TABLE staging.ic_month (
    comm_month date PRIMARY KEY,
    change_number bigint NOT NULL,
    cause text NOT NULL CHECK (cause IN ('landing', 'reconciliation', 'classification')),
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE staging.ic_month_stage (
    comm_month date NOT NULL,
    stage text NOT NULL,
    change_number bigint NOT NULL,
    reference_time timestamptz NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (comm_month, stage)
);

-- The classification as data; sql/activities/classification.csv is the place to edit, and every master run
-- brings this table in line with it. activity_type 'case' means: decided by case id and priority.
CREATE TABLE staging.ic_activity_classification (
    comm_type text PRIMARY KEY CHECK (comm_type = staging.ic_norm(comm_type)),
    activity_type text NOT NULL CHECK (
        activity_type IN ('calls', 'emails', 'meetings', 'notes', 'tasks', 'communications', 'postal_mail', 'case')
    ),
    channel_type text CHECK (channel_type IN ('SMS', 'LINKEDIN_MESSAGE', 'WHATS_APP')),
    CHECK ((activity_type = 'communications') = (channel_type IS NOT NULL))
);

-- A real deployment has these three before the load; a table that stands already is used as it is, and the
-- comment tells the downgrade which ones are ours to drop.

DO $$
BEGIN
    IF to_regclass('staging.contacts_reconciliation') IS NULL THEN
        CREATE TABLE staging.contacts_reconciliation (
        legacy_contact_id bigint NOT NULL UNIQUE,
        hubspot_contact_id bigint,
        contact_name text,
        contact_email text,
        reconciliation_status text,
        match_confidence numeric,
        last_updated timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE staging.contacts_reconciliation IS 'Created by ic_assets.';
    END IF;
END $$;

DO $$
BEGIN
    IF to_regclass('staging.companies_reconciliation') IS NULL THEN
        CREATE TABLE staging.companies_reconciliation (
        legacy_company_id bigint NOT NULL UNIQUE,
        hubspot_company_id bigint,
        company_name text,
        reconciliation_status text,
        match_confidence numeric,
        last_updated timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE staging.companies_reconciliation IS 'Created by ic_assets.';
    END IF;
END $$;

DO $$
BEGIN
    IF to_regclass('staging.deals_reconciliation') IS NULL THEN
        CREATE TABLE staging.deals_reconciliation (
        legacy_deal_id bigint NOT NULL UNIQUE,
        hubspot_deal_id bigint,
        deal_name text,
        reconciliation_status text,
        match_confidence numeric,
        last_updated timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE staging.deals_reconciliation IS 'Created by ic_assets.';
    END IF;
END $$;


-- Grain: one communication. source_drop and source_line name the row of the drop that it came from.
CREATE TABLE staging.ic_communication_master (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    comm_communicationid bigint NOT NULL UNIQUE,
    comm_opportunityid bigint,
    comm_caseid bigint,
    comm_type text NOT NULL,
    comm_action text,
    comm_status text,
    comm_priority text,
    comm_datetime timestamp NOT NULL,
    comm_todatetime timestamp,
    comm_note text,
    comm_subject text,
    comm_email_clean text,
    comm_createddate timestamp NOT NULL,
    comm_updateddate timestamp,
    comm_originaldatetime timestamp,
    comm_originaltodatetime timestamp,
    person_id bigint,
    person_firstname text,
    person_lastname text,
    person_emailaddress text,
    company_id bigint,
    company_name text,
    derived_activity_type text NOT NULL CHECK (
        derived_activity_type IN ('calls', 'emails', 'meetings', 'notes', 'tasks', 'communications', 'postal_mail')
    ),
    is_task_eligible boolean NOT NULL,
    hubspot_contact_id bigint,
    hubspot_company_id bigint,
    hubspot_deal_id bigint,
    is_orphaned boolean NOT NULL,
    staging_status text NOT NULL DEFAULT 'pending' CHECK (staging_status IN ('pending', 'processed', 'error')),
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,
    last_updated timestamptz NOT NULL DEFAULT now(),
    source_drop text NOT NULL,
    source_line bigint NOT NULL,
    row_hash bigint NOT NULL
);
CREATE INDEX ic_communication_master_datetime ON staging.ic_communication_master (comm_datetime);

CREATE TABLE staging.reconciliation_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation text NOT NULL DEFAULT 'FK_RESOLUTION',
    entity_type text NOT NULL CHECK (entity_type IN ('contact', 'company', 'deal')),
    legacy_id bigint NOT NULL,
    month date NOT NULL,
    hubspot_id bigint,
    status text NOT NULL,
    error_message text,
    communications_affected bigint NOT NULL,
    logged_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (month, entity_type, legacy_id)
);

CREATE TABLE staging.ic_calls (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    ic_communication_master_id bigint NOT NULL UNIQUE
    REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE,
    activity_date timestamp NOT NULL,
    activity_assigned_to text,
    activity_created_by text,
    create_date timestamp,
    last_modified_date timestamp,
    call_title text,
    call_notes text,
    call_direction text CHECK (call_direction IN ('INBOUND', 'OUTBOUND')),
    call_duration_ms bigint,
    call_status text CHECK (
        call_status IN (
            'BUSY', 'CALLING_CRM_USER', 'CANCELED', 'COMPLETED', 'CONNECTING', 'FAILED', 'IN_PROGRESS',
            'NO_ANSWER', 'QUEUED', 'RINGING', 'MISSED'
        )
    ),
    call_outcome text,
    call_source text,
    from_number text,
    to_number text,
    associated_contact_id bigint,
    associated_company_id bigint,
    associated_deal_id bigint,
    hubspot_api_payload jsonb,
    api_push_status text NOT NULL DEFAULT 'pending'
    CHECK (api_push_status IN ('pending', 'in_flight', 'pushed', 'failed', 'held', 'removed')),
    hubspot_engagement_id bigint,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    pushed_at timestamptz,
    last_updated timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ic_calls_activity_date ON staging.ic_calls (activity_date);

CREATE TABLE staging.ic_emails (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    ic_communication_master_id bigint NOT NULL UNIQUE
    REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE,
    activity_date timestamp NOT NULL,
    activity_assigned_to text,
    activity_created_by text,
    create_date timestamp,
    last_modified_date timestamp,
    email_subject text,
    email_body text,
    email_direction text CHECK (email_direction IN ('INCOMING', 'OUTGOING')),
    email_from_address text,
    email_to_address text,
    email_send_status text CHECK (email_send_status IN ('BOUNCED', 'FAILED', 'SCHEDULED', 'SENDING', 'SENT')),
    email_open_rate numeric,
    email_click_rate numeric,
    email_reply_rate numeric,
    number_of_email_opens integer,
    number_of_email_clicks integer,
    number_of_email_replies integer,
    associated_contact_id bigint,
    associated_company_id bigint,
    associated_deal_id bigint,
    hubspot_api_payload jsonb,
    api_push_status text NOT NULL DEFAULT 'pending'
    CHECK (api_push_status IN ('pending', 'in_flight', 'pushed', 'failed', 'held', 'removed')),
    hubspot_engagement_id bigint,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    pushed_at timestamptz,
    last_updated timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ic_emails_activity_date ON staging.ic_emails (activity_date);

CREATE TABLE staging.ic_meetings (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    ic_communication_master_id bigint NOT NULL UNIQUE
    REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE,
    activity_date timestamp NOT NULL,
    activity_assigned_to text,
    activity_created_by text,
    create_date timestamp,
    last_modified_date timestamp,
    meeting_name text,
    meeting_description text,
    meeting_start_time timestamp NOT NULL,
    meeting_end_time timestamp CHECK (meeting_end_time >= meeting_start_time),
    internal_meeting_notes text,
    meeting_location text,
    location_type text,
    meeting_outcome text CHECK (
        meeting_outcome IN ('SCHEDULED', 'COMPLETED', 'CANCELED', 'NO_SHOW', 'RESCHEDULED')
    ),
    meeting_source text,
    outcome_completed_count integer,
    outcome_canceled_count integer,
    outcome_no_show_count integer,
    outcome_rescheduled_count integer,
    associated_contact_id bigint,
    associated_company_id bigint,
    associated_deal_id bigint,
    hubspot_api_payload jsonb,
    api_push_status text NOT NULL DEFAULT 'pending'
    CHECK (api_push_status IN ('pending', 'in_flight', 'pushed', 'failed', 'held', 'removed')),
    hubspot_engagement_id bigint,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    pushed_at timestamptz,
    last_updated timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ic_meetings_activity_date ON staging.ic_meetings (activity_date);

CREATE TABLE staging.ic_notes (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    ic_communication_master_id bigint NOT NULL UNIQUE
    REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE,
    activity_date timestamp NOT NULL,
    activity_assigned_to text,
    activity_created_by text,
    create_date timestamp,
    last_modified_date timestamp,
    note_body text NOT NULL,
    associated_contact_id bigint,
    associated_company_id bigint,
    associated_deal_id bigint,
    hubspot_api_payload jsonb,
    api_push_status text NOT NULL DEFAULT 'pending'
    CHECK (api_push_status IN ('pending', 'in_flight', 'pushed', 'failed', 'held', 'removed')),
    hubspot_engagement_id bigint,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    pushed_at timestamptz,
    last_updated timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ic_notes_activity_date ON staging.ic_notes (activity_date);

CREATE TABLE staging.ic_tasks (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    ic_communication_master_id bigint NOT NULL UNIQUE
    REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE,
    activity_date timestamp NOT NULL,
    activity_assigned_to text,
    activity_created_by text,
    create_date timestamp,
    last_modified_date timestamp,
    task_title text NOT NULL,
    task_notes text,
    due_date timestamp,
    task_status text CHECK (task_status IN ('NOT_STARTED', 'COMPLETED', 'IN_PROGRESS', 'WAITING', 'DEFERRED')),
    completed_at timestamp CHECK (completed_at IS NOT NULL OR task_status IS DISTINCT FROM 'COMPLETED'),
    task_priority text CHECK (task_priority IN ('LOW', 'MEDIUM', 'HIGH')),
    task_type text CHECK (task_type IN ('TODO', 'EMAIL', 'CALL')),
    is_overdue boolean,
    reminder_date timestamp,
    source_type text CHECK (source_type IN ('task', 'case')),
    source_case_id bigint,
    associated_contact_id bigint,
    associated_company_id bigint,
    associated_deal_id bigint,
    hubspot_api_payload jsonb,
    api_push_status text NOT NULL DEFAULT 'pending'
    CHECK (api_push_status IN ('pending', 'in_flight', 'pushed', 'failed', 'held', 'removed')),
    hubspot_engagement_id bigint,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    pushed_at timestamptz,
    last_updated timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ic_tasks_activity_date ON staging.ic_tasks (activity_date);

CREATE TABLE staging.ic_communications (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    ic_communication_master_id bigint NOT NULL UNIQUE
    REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE,
    activity_date timestamp NOT NULL,
    activity_assigned_to text,
    activity_created_by text,
    create_date timestamp,
    last_modified_date timestamp,
    communication_body text NOT NULL,
    channel_type text CHECK (channel_type IN ('SMS', 'LINKEDIN_MESSAGE', 'WHATS_APP')),
    logged_from text,
    associated_contact_id bigint,
    associated_company_id bigint,
    associated_deal_id bigint,
    hubspot_api_payload jsonb,
    api_push_status text NOT NULL DEFAULT 'pending'
    CHECK (api_push_status IN ('pending', 'in_flight', 'pushed', 'failed', 'held', 'removed')),
    hubspot_engagement_id bigint,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    pushed_at timestamptz,
    last_updated timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ic_communications_activity_date ON staging.ic_communications (activity_date);

CREATE TABLE staging.ic_postal_mail (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    ic_communication_master_id bigint NOT NULL UNIQUE
    REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE,
    activity_date timestamp NOT NULL,
    activity_assigned_to text,
    activity_created_by text,
    create_date timestamp,
    last_modified_date timestamp,
    postal_mail_body text NOT NULL,
    body_preview text,
    associated_contact_id bigint,
    associated_company_id bigint,
    associated_deal_id bigint,
    hubspot_api_payload jsonb,
    api_push_status text NOT NULL DEFAULT 'pending'
    CHECK (api_push_status IN ('pending', 'in_flight', 'pushed', 'failed', 'held', 'removed')),
    hubspot_engagement_id bigint,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    pushed_at timestamptz,
    last_updated timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ic_postal_mail_activity_date ON staging.ic_postal_mail (activity_date);

-- What follows the first part of a body over HubSpot's limit: notes on the same records.
CREATE TABLE staging.ic_payload_part (
    activity_type text NOT NULL,
    ic_communication_master_id bigint NOT NULL
    REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE,
    comm_communicationid bigint NOT NULL,
    part integer NOT NULL CHECK (part >= 2),
    payload jsonb NOT NULL,
    PRIMARY KEY (ic_communication_master_id, part)
);

-- What a roll-back of staging removed, kept when the rows are gone.
CREATE TABLE staging.ic_rollback (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope text NOT NULL,
    removed jsonb NOT NULL,
    rolled_back_at timestamptz NOT NULL DEFAULT now()
);
