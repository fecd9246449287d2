-- Takes back the schema migration 0014. No parameters.

DO $$
DECLARE
    name text;
    what text;
BEGIN
    FOREACH what IN ARRAY ARRAY[
        'person', 'company', 'opportunity', 'case', 'orphan', 'source'
    ] LOOP
        EXECUTE format('DROP INDEX staging.ic_communication_master_%s', what);
    END LOOP;
    FOREACH name IN ARRAY ARRAY[
        'ic_calls', 'ic_emails', 'ic_meetings', 'ic_notes', 'ic_tasks', 'ic_communications', 'ic_postal_mail'
    ] LOOP
        FOREACH what IN ARRAY ARRAY['contact', 'company', 'deal', 'engagement', 'attention'] LOOP
            EXECUTE format('DROP INDEX staging.%s_%s', name, what);
        END LOOP;
    END LOOP;
END $$;
DROP INDEX staging.ic_tasks_open;
DROP INDEX staging.ic_tasks_case;
ALTER TABLE staging.ic_communication_master ADD COLUMN row_hash bigint NOT NULL DEFAULT 0;
