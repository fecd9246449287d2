-- Takes back 0022_crm_up.sql and 0022_crm_waking_up.sql, and nothing else: the schema stays while anything is left in
-- it. No parameters.

DROP TABLE crm.company_profile_meta_data;
DROP TABLE crm.company_profile_arr_range;
DROP TABLE crm.company_change_log;
DROP TABLE crm.user_profile;
DROP TABLE crm.contact_profile_metadata;
DROP TABLE crm.company_profile_usage;
DROP TABLE crm.user_usage;
DROP TABLE crm.user_bi_data;
DROP TABLE crm.contact_bi_data;
DROP TABLE crm.field_lock;
DROP TABLE crm.field_edit;
DROP TABLE crm.business_cases;
DROP TABLE crm.country_alias;
DROP FUNCTION crm.unwatch(text);
DROP FUNCTION crm.watch(text, text, regclass, text, text[], text);
DROP FUNCTION crm.wake_watcher();
DROP FUNCTION crm.make_wake(text, text, text, jsonb);
DROP SEQUENCE crm.wake_version;

DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_depend
        WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'crm'::regnamespace AND deptype = 'n'
    ) THEN
        DROP SCHEMA crm;
    END IF;
END $$;
