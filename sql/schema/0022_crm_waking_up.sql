-- How a change here wakes who depends on it. A consumer has a table of what is to be done again, a row per key; the
-- statement that changes a table it reads writes that row, in the same transaction. Nobody keeps the last id that he
-- saw: ids are given before they are committed, and what commits late would be lost.
--
-- In a migration of the consumer, here the flow `funnel`:
--     CREATE TABLE funnel.waiting (company text PRIMARY KEY, version bigint NOT NULL, causes text[] NOT NULL,
--         since timestamptz NOT NULL, …);
--     SELECT crm.make_wake('funnel.wake', 'funnel.waiting', 'company');
--     SELECT crm.watch('funnel', 'funnel.wake', 'crm.company_profile_meta_data', 'company', '{plan_id,country}');
-- and in its way back: SELECT crm.unwatch('funnel');
-- Taking rows out again: ic_assets/crm/waiting.py. These functions stand in a migration and not in functions.sql since
-- triggers depend on them. Run once by the schema migration 0022; 0022_crm_down.sql takes it back. No parameters.

-- One number for every wake, never used again: a row that was removed and written anew cannot be taken for the old one.
CREATE SEQUENCE crm.wake_version;

-- Makes the function p_wake(keys text[], causes text[]), which writes a row per key into p_waiting: p_key, version,
-- causes, since, and the columns of p_fixed with their one value. A key that waits already keeps its since.
CREATE FUNCTION crm.make_wake(p_wake text, p_waiting text, p_key text, p_fixed jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $make$
DECLARE
    columns text;
    literals text;
BEGIN
    SELECT
        coalesce(string_agg(format('%I, ', fixed.key), '' ORDER BY fixed.key), ''),
        coalesce(string_agg(format('%L, ', fixed.value), '' ORDER BY fixed.key), '')
    INTO columns, literals
    FROM jsonb_each_text(p_fixed) AS fixed;
    EXECUTE format(
        $wake$
        CREATE OR REPLACE FUNCTION %1$s(p_keys text[], p_causes text[]) RETURNS void LANGUAGE sql AS $body$
        INSERT INTO %2$s AS w (%3$s%4$I, version, causes, since)
        SELECT %5$s k.key, nextval('crm.wake_version'), ARRAY[k.cause], now()
        FROM (
            SELECT woken.key, min(woken.cause COLLATE "C") AS cause
            FROM unnest(p_keys, p_causes) AS woken (key, cause)
            GROUP BY woken.key
            ORDER BY woken.key COLLATE "C"
        ) AS k
        ON CONFLICT (%3$s%4$I) DO UPDATE SET
            version = nextval('crm.wake_version'),
            causes = CASE
                WHEN excluded.causes <@ w.causes OR cardinality(w.causes) >= 100 THEN w.causes
                ELSE w.causes || excluded.causes
            END
        $body$
        $wake$,
        p_wake, p_waiting, columns, p_key, literals
    );
END
$make$;

-- Calls the consumer's function with what a statement changed. Arguments of the trigger: the consumer, its function,
-- and the query that finds the keys among old_rows and new_rows. A consumer's own writes wake nothing
-- (ic_assets.writer). The cause of a key is that of its rows in the change log which this statement wrote, else
-- ic_assets.cause, else the table.
CREATE FUNCTION crm.wake_watcher() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    log_from bigint := nullif(current_setting('ic_assets.log_from', TRUE), '')::bigint;
    cause text := coalesce(
        nullif(current_setting('ic_assets.cause', TRUE), ''), format('table:%s.%s', tg_table_schema, tg_table_name)
    );
BEGIN
    IF current_setting('ic_assets.writer', TRUE) = tg_argv[0] THEN
        RETURN NULL;
    END IF;
    EXECUTE format(
        'SELECT %1$s(array_agg(woken.key), array_agg(coalesce(logged.cause, $2)))'
        ' FROM (%2$s) AS woken LEFT JOIN (SELECT l.company, min(l.cause COLLATE "C") AS cause'
        ' FROM crm.company_change_log AS l WHERE l.id > $1 GROUP BY l.company) AS logged ON logged.company = woken.key'
        ' HAVING count(*) > 0',
        tg_argv[1], tg_argv[2]
    ) USING log_from, cause;
    RETURN NULL;
END
$$;

-- Makes the triggers on p_table that call p_wake when a row comes, goes, or differs in one of p_columns. p_key: the
-- column whose value is the key that waits. p_condition: on a row by the name r, where not every row matters. A
-- consumer watches a table once; again with other arguments replaces that.
CREATE FUNCTION crm.watch(
    p_consumer text, p_wake text, p_table regclass, p_key text, p_columns text[], p_condition text DEFAULT 'TRUE'
) RETURNS void
LANGUAGE plpgsql AS $watch$
DECLARE
    same_row text;
    differs text;
    one_row text := 'SELECT DISTINCT r.%1$I::text AS key FROM %2$s AS r WHERE r.%1$I IS NOT NULL AND (%3$s)';
    changed text;
BEGIN
    SELECT string_agg(format('o.%1$I = n.%1$I', a.attname), ' AND ') INTO STRICT same_row
    FROM pg_index AS i INNER JOIN pg_attribute AS a ON i.indrelid = a.attrelid AND a.attnum = ANY(i.indkey)
    WHERE i.indrelid = p_table AND i.indisprimary;
    IF same_row IS NULL THEN
        RAISE EXCEPTION '% has no primary key: no row could be told from another', p_table;
    END IF;
    SELECT string_agg(format('o.%1$I IS DISTINCT FROM n.%1$I', named.name), ' OR ') INTO STRICT differs
    FROM unnest(p_columns || p_key) AS named (name);
    changed := format(
        'SELECT DISTINCT k.key::text AS key FROM old_rows AS o FULL JOIN new_rows AS n ON %1$s'
        ' CROSS JOIN LATERAL (SELECT r.%2$I AS key FROM (SELECT o.*) AS r WHERE %3$s'
        ' UNION ALL SELECT r.%2$I FROM (SELECT n.*) AS r WHERE %3$s) AS k'
        ' WHERE k.key IS NOT NULL AND (%4$s)',
        same_row, p_key, p_condition, differs
    );
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER %I AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows'
        ' FOR EACH STATEMENT EXECUTE FUNCTION crm.wake_watcher(%L, %L, %L)',
        'ic_wake_' || p_consumer || '_insert', p_table, p_consumer, p_wake,
        format(one_row, p_key, 'new_rows', p_condition)
    );
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER %I AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows'
        ' FOR EACH STATEMENT EXECUTE FUNCTION crm.wake_watcher(%L, %L, %L)',
        'ic_wake_' || p_consumer || '_delete', p_table, p_consumer, p_wake,
        format(one_row, p_key, 'old_rows', p_condition)
    );
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'
        ' FOR EACH STATEMENT EXECUTE FUNCTION crm.wake_watcher(%L, %L, %L)',
        'ic_wake_' || p_consumer || '_update', p_table, p_consumer, p_wake, changed
    );
END
$watch$;

-- Takes away all triggers of a consumer, on whichever table.
CREATE FUNCTION crm.unwatch(p_consumer text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT t.tgname AS name, t.tgrelid::regclass AS made_on FROM pg_trigger AS t
        WHERE t.tgfoid = 'crm.wake_watcher'::regproc
            AND t.tgname IN (
                'ic_wake_' || p_consumer || '_insert',
                'ic_wake_' || p_consumer || '_delete',
                'ic_wake_' || p_consumer || '_update'
            )
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', made.name, made.made_on);
    END LOOP;
END
$$;
