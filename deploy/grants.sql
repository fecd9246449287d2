-- The rights of ic_assets on a PostgreSQL of your own (15 or newer): a role that owns its schemas and nothing else.
-- It may not create databases, roles or other schemas, and sees no other schema of the database.
--
-- Run it as a superuser, connected to the database that is to hold the data; it is safe to run again:
--     psql --dbname=crm --file=deploy/grants.sql
-- Then give the role a password, and put it into IC_POSTGRES_URL (README, "A real PostgreSQL"):
--     psql --dbname=crm --command='\password ic_assets'

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ic_assets') THEN
        CREATE ROLE ic_assets LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
    -- Most servers grant both to everyone; a hardened one does not. TEMPORARY: rendered bodies pass through a temporary table.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO ic_assets', current_database());
END $$;

-- staging holds the communications, hubspot the push ledger, inbox the events that came in, crm the companies and
-- contacts as all flows see them, payments what billing events come to, ic_dagster Dagster's runs and events; ic_replay is empty but while tables are built anew.
CREATE SCHEMA IF NOT EXISTS staging AUTHORIZATION ic_assets;
CREATE SCHEMA IF NOT EXISTS hubspot AUTHORIZATION ic_assets;
CREATE SCHEMA IF NOT EXISTS inbox AUTHORIZATION ic_assets;
CREATE SCHEMA IF NOT EXISTS ic_replay AUTHORIZATION ic_assets;
CREATE SCHEMA IF NOT EXISTS crm AUTHORIZATION ic_assets;
CREATE SCHEMA IF NOT EXISTS payments AUTHORIZATION ic_assets;
CREATE SCHEMA IF NOT EXISTS ic_dagster AUTHORIZATION ic_assets;
