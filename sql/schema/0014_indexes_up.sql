-- What people look records up by (ic_assets/activities/facts/lookups.py says what for). Run once by the schema
-- migration 0014; 0014_indexes_down.sql takes it back. No parameters.
--
-- By HubSpot's ids the derivatives are asked, of which each type has its own. A first load builds all of them once, at
-- its end. Partial where most rows have nothing there: such rows cost nothing. None
-- holds staging_status, which changes in every row of a load, nor api_push_status but where it says that somebody must
-- look: an update that touches no index stays on its page.

CREATE INDEX ic_communication_master_person ON staging.ic_communication_master (person_id)
WHERE person_id IS NOT NULL;
CREATE INDEX ic_communication_master_company ON staging.ic_communication_master (company_id)
WHERE company_id IS NOT NULL;
CREATE INDEX ic_communication_master_opportunity ON staging.ic_communication_master (comm_opportunityid)
WHERE comm_opportunityid IS NOT NULL;
CREATE INDEX ic_communication_master_case ON staging.ic_communication_master (comm_caseid)
WHERE comm_caseid IS NOT NULL;
CREATE INDEX ic_communication_master_orphan ON staging.ic_communication_master (comm_datetime)
WHERE is_orphaned;
CREATE INDEX ic_communication_master_source ON staging.ic_communication_master
USING brin (source_drop) WITH (pages_per_range = 32);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'ic_calls', 'ic_emails', 'ic_meetings', 'ic_notes', 'ic_tasks', 'ic_communications', 'ic_postal_mail'
    ] LOOP
        EXECUTE format(
            'CREATE INDEX %1$s_contact ON staging.%1$s (associated_contact_id) WHERE associated_contact_id IS NOT NULL',
            name
        );
        EXECUTE format(
            'CREATE INDEX %1$s_company ON staging.%1$s (associated_company_id) WHERE associated_company_id IS NOT NULL',
            name
        );
        EXECUTE format(
            'CREATE INDEX %1$s_deal ON staging.%1$s (associated_deal_id) WHERE associated_deal_id IS NOT NULL', name
        );
        EXECUTE format(
            'CREATE INDEX %1$s_engagement ON staging.%1$s (hubspot_engagement_id)'
            ' WHERE hubspot_engagement_id IS NOT NULL',
            name
        );
        EXECUTE format(
            'CREATE INDEX %1$s_attention ON staging.%1$s (activity_date) WHERE api_push_status IN (''failed'', ''held'')',
            name
        );
    END LOOP;
END $$;
CREATE INDEX ic_tasks_open ON staging.ic_tasks (due_date) WHERE task_status NOT IN ('COMPLETED', 'DEFERRED');
CREATE INDEX ic_tasks_case ON staging.ic_tasks (source_case_id) WHERE source_case_id IS NOT NULL;

-- Nothing reads it: a version is known by its drop and line.
ALTER TABLE staging.ic_communication_master DROP COLUMN row_hash;
