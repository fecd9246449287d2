-- The company centre: companies, users and contacts as all flows see them, what was changed by whom, and which fields
-- a person has locked. No foreign key leads from one table to another: events of a user or a contact may come before
-- those of its company.
-- Run once by the schema migration 0022; 0022_crm_down.sql takes it back. No parameters.

DO $$
BEGIN
    -- CREATE SCHEMA IF NOT EXISTS wants the right to create schemas even where the schema is there.
    IF to_regnamespace('crm') IS NULL THEN
        CREATE SCHEMA crm;
    END IF;
END $$;

-- Grain: one company. Which flow writes which column: sql/crm/owners.csv. NaN is greater than every number, hence the
-- second half of the figures' checks.
CREATE TABLE crm.company_profile_meta_data (
    company text PRIMARY KEY CHECK (company <> '' AND octet_length(company) <= 512),
    site_status text CHECK (site_status IN ('LEAD', 'SIGNUP')),
    payment_status text CHECK (payment_status IN ('PAID', 'CHURNED')),
    status text GENERATED ALWAYS AS (coalesce(payment_status, site_status)) STORED,
    signup_timestamp timestamptz,
    num_of_employees_range text CHECK (num_of_employees_range ~ '^[0-9]+(-[0-9]+|[+])$'),
    plan_id text CHECK (plan_id <> ''),
    country text CHECK (country ~ '^[A-Z]{2}$'),
    paying_since timestamptz,
    current_mrr numeric(18, 4) CHECK (current_mrr >= 0 AND current_mrr <> 'NaN'),
    effective_mrr numeric(18, 4) CHECK (effective_mrr >= 0 AND effective_mrr <> 'NaN'),
    sales_effective_mrr numeric(18, 4) CHECK (sales_effective_mrr >= 0 AND sales_effective_mrr <> 'NaN'),
    collections_usd numeric(18, 4) CHECK (collections_usd >= 0 AND collections_usd <> 'NaN'),
    sales_account_manager text CHECK (sales_account_manager <> ''),
    customer_success_manager text CHECK (customer_success_manager <> ''),
    account_manager text CHECK (account_manager <> ''),
    cs_stage text CHECK (
        cs_stage IN ('cs_sales', 'cs_sbp', 'cs_no_touch', 'cs_onboarding', 'cs_success', 'cs_error')
    ),
    cs_stage_lock_expiration timestamptz,
    cs_manager_lock_expiration timestamptz,
    sales_status text,
    churn_reason text,
    stage text,
    health_status text,
    payroll_method_type text,
    payroll_software text[],
    chance_to_close numeric(5, 2) CHECK (chance_to_close BETWEEN 0 AND 100),
    chance_to_implement numeric(5, 2) CHECK (chance_to_implement BETWEEN 0 AND 100),
    chance_to_upgrade numeric(5, 2) CHECK (chance_to_upgrade BETWEEN 0 AND 100),
    chance_to_churn numeric(5, 2) CHECK (chance_to_churn BETWEEN 0 AND 100),
    sales_qualified boolean,
    has_submitted_a_review boolean,
    should_delete boolean,
    white_label boolean,
    is_using_sftp boolean,
    is_using_api boolean,
    sales_next_action text,
    cs_notes text,
    cs_what_was_done text,
    churn_notes text,
    target_plan_id text,
    payroll_provider_external text,
    payroll_provider_peo text,
    launch_timestamp timestamptz,
    test_run_timestamp timestamptz,
    training_done timestamptz,
    hubspot_company_id bigint CHECK (hubspot_company_id > 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX company_of_hubspot ON crm.company_profile_meta_data (hubspot_company_id);

-- arr_range: a name of sql/payments/arr_range.csv; NULL where ARR is 0 or not known.
CREATE TABLE crm.company_profile_arr_range (
    company text PRIMARY KEY CHECK (company <> '' AND octet_length(company) <= 512),
    arr_usd numeric(18, 4) CHECK (arr_usd >= 0 AND arr_usd <> 'NaN'),
    arr_range text CHECK (arr_range ~ '^[0-9]+(-[0-9]+|[+])$'),
    changed_at timestamptz
);

-- Grain: one change of one field of one company, in the order of id. Values as crm.canonical writes them.
CREATE TABLE crm.company_change_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company text NOT NULL,
    field text NOT NULL,
    old_value text,
    new_value text,
    changed_by text NOT NULL CHECK (changed_by ~ '^[a-z_]+:.'),
    cause text NOT NULL CHECK (cause <> ''),
    changed_at timestamptz NOT NULL,
    CHECK (old_value IS DISTINCT FROM new_value)
);
CREATE INDEX company_change_log_of_field ON crm.company_change_log (company, field, id);

CREATE TABLE crm.user_profile (
    user_id text PRIMARY KEY CHECK (user_id <> '' AND octet_length(user_id) <= 512),
    company text,
    email text,
    email_normalised text CHECK (
        email_normalised = lower(email_normalised)
        AND email_normalised ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$'
        AND char_length(email_normalised) <= 254
    ),
    client_id text,
    role text,
    created_at timestamptz
);
CREATE INDEX user_profile_company ON crm.user_profile (company, created_at, user_id);
CREATE INDEX user_profile_email ON crm.user_profile (email_normalised);

CREATE TABLE crm.contact_profile_metadata (
    contact_id text PRIMARY KEY CHECK (contact_id <> '' AND octet_length(contact_id) <= 512),
    email text,
    email_normalised text CHECK (
        email_normalised = lower(email_normalised)
        AND email_normalised ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$'
        AND char_length(email_normalised) <= 254
    ),
    company text,
    phone_number text,
    first_name text,
    last_name text,
    country text CHECK (country ~ '^[A-Z]{2}$'),
    region text,
    hubspot_contact_id bigint CHECK (hubspot_contact_id > 0),
    created_at timestamptz
);
CREATE INDEX contact_profile_company ON crm.contact_profile_metadata (company);
CREATE INDEX contact_profile_email ON crm.contact_profile_metadata (email_normalised);
CREATE INDEX contact_of_hubspot ON crm.contact_profile_metadata (hubspot_contact_id);

CREATE TABLE crm.company_profile_usage (
    company text PRIMARY KEY CHECK (company <> '' AND octet_length(company) <= 512),
    metrics jsonb NOT NULL CHECK (jsonb_typeof(metrics) = 'object'),
    updated_at timestamptz NOT NULL
);

CREATE TABLE crm.user_usage (
    user_id text PRIMARY KEY CHECK (user_id <> '' AND octet_length(user_id) <= 512),
    company text,
    metrics jsonb NOT NULL CHECK (jsonb_typeof(metrics) = 'object'),
    updated_at timestamptz NOT NULL
);
CREATE INDEX user_usage_company ON crm.user_usage (company);

CREATE TABLE crm.user_bi_data (
    user_id text PRIMARY KEY CHECK (user_id <> '' AND octet_length(user_id) <= 512),
    data jsonb NOT NULL CHECK (jsonb_typeof(data) = 'object'),
    updated_at timestamptz NOT NULL
);

CREATE TABLE crm.contact_bi_data (
    contact_id text PRIMARY KEY CHECK (contact_id <> '' AND octet_length(contact_id) <= 512),
    data jsonb NOT NULL CHECK (jsonb_typeof(data) = 'object'),
    updated_at timestamptz NOT NULL
);

-- A person's word that no flow may change a field: active while locked_until lies ahead.
CREATE TABLE crm.field_lock (
    company text NOT NULL CHECK (company <> ''),
    field text NOT NULL CHECK (field <> ''),
    locked_until timestamptz NOT NULL,
    changed_by text NOT NULL CHECK (changed_by ~ '^[a-z_]+:.'),
    cause text NOT NULL CHECK (cause <> ''),
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (company, field)
);
CREATE INDEX field_lock_end ON crm.field_lock (locked_until);

-- Grain: one field of one company of which a person's edit was seen. It keeps the order of edits past the end of the
-- lock: an edit that comes late is judged by it. turn: what decides between two edits of one instant. is_taken: the
-- newest edit was taken over.
CREATE TABLE crm.field_edit (
    company text NOT NULL,
    field text NOT NULL,
    occurred_at timestamptz,
    turn text NOT NULL DEFAULT '',
    cause text,
    is_taken boolean NOT NULL DEFAULT FALSE,
    released_at timestamptz,
    PRIMARY KEY (company, field),
    CHECK (num_nulls(occurred_at, cause) IN (0, 2)),
    CHECK (num_nonnulls(occurred_at, released_at) > 0)
);

CREATE TABLE crm.business_cases (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    company text NOT NULL CHECK (company <> ''),
    kind text NOT NULL CHECK (kind <> ''),
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    CHECK (closed_at >= opened_at)
);
CREATE INDEX business_cases_company ON crm.business_cases (company);

-- Mirror of sql/crm/country_alias.csv. alias: trimmed, case folded.
CREATE TABLE crm.country_alias (
    alias text PRIMARY KEY,
    country text NOT NULL CHECK (country ~ '^[A-Z]{2}$')
);
