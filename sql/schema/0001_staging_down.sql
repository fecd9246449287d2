-- Takes back 0001_staging_up.sql, and nothing else: a reconciliation table that stood before
-- us stays (only ours carries the comment), and so does the schema while anything is left in it.

DROP TABLE staging.ic_rollback;
DROP TABLE staging.ic_payload_part;
DROP TABLE staging.ic_calls;
DROP TABLE staging.ic_emails;
DROP TABLE staging.ic_meetings;
DROP TABLE staging.ic_notes;
DROP TABLE staging.ic_tasks;
DROP TABLE staging.ic_communications;
DROP TABLE staging.ic_postal_mail;
DROP TABLE staging.reconciliation_log;
DROP TABLE staging.ic_communication_master;
DROP TABLE staging.ic_month_stage;
DROP TABLE staging.ic_month;
DROP TABLE staging.ic_field_warning;
DROP TABLE staging.ic_rejected_row;
DROP TABLE staging.ic_communication_landing;
DROP TABLE staging.ic_drop;

DO $$
DECLARE
    ours text;
BEGIN
    FOR ours IN
        SELECT relname FROM pg_class
        WHERE relnamespace = 'staging'::regnamespace AND relkind = 'r'
            AND relname IN ('contacts_reconciliation', 'companies_reconciliation', 'deals_reconciliation')
            AND obj_description(oid, 'pg_class') = 'Created by ic_assets.'
    LOOP
        EXECUTE format('DROP TABLE staging.%I', ours);
    END LOOP;
END $$;

DROP TABLE staging.ic_activity_classification;
DROP SEQUENCE staging.ic_change_number;
DROP FUNCTION staging.ic_norm(text);
DROP FUNCTION staging.ic_trim(text);
