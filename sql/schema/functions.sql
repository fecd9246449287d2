-- Every function but the two of 0001_staging_up.sql, as it is now: an upgrade runs this file after the numbered
-- migrations and before views.sql (ic_assets.core.schema). Other arguments make another function: the migration that
-- brings them drops the old one. CREATE OR REPLACE FUNCTION at the start of a line. No parameters.

-- The local time of the legacy system at the run's reference time. Our connections set both values; a person's
-- psql session gets now() and UTC.
CREATE OR REPLACE FUNCTION staging.ic_reference_time() RETURNS timestamp
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('ic_assets.reference_time', TRUE), '')::timestamptz, now())
AT TIME ZONE coalesce(nullif(current_setting('ic_assets.source_timezone', TRUE), ''), 'UTC');

CREATE OR REPLACE FUNCTION staging.classify_activity_type(p_comm_type text, p_comm_priority text, p_comm_caseid bigint)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT
        CASE
            WHEN known.activity_type IS NULL THEN 'notes'
            WHEN known.activity_type <> 'case' THEN known.activity_type
            WHEN
                p_comm_caseid IS NOT NULL
                AND staging.ic_norm(p_comm_priority) IN ('high', 'urgent', 'critical') THEN 'tasks'
            ELSE 'notes'
        END
    FROM (SELECT 1) AS one
    LEFT JOIN staging.ic_activity_classification AS known ON known.comm_type = staging.ic_norm(p_comm_type)
);

-- Whether a text is an e-mail address beyond doubt, which the reader of the others (engine/addresses.py)
-- would take as it is. Only ASCII, no comments, no quotes; NULL for NULL. Linear in time.
CREATE OR REPLACE FUNCTION staging.ic_is_address(p_text text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(p_text) <= 64
AND p_text COLLATE "C"
~ '^[A-Za-z0-9_+-]+([.][A-Za-z0-9_+-]+)*@([A-Za-z0-9]+(-[A-Za-z0-9]+)*[.])+[A-Za-z]{2,24}$'
-- Domains of special use, and those that are written in another script.
AND p_text COLLATE "C" !~* '[.@](arpa|invalid|local|localhost|onion|test)$|[.@]xn--';

-- Addresses joined by '; ' and further ones after them, each once: what an e-mail to several people is sent to. NULL
-- when there are none.
CREATE OR REPLACE FUNCTION staging.ic_all_addresses(p_addresses text, p_further text[])
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT string_agg(given.address, '; ' ORDER BY given.place)
    FROM (
        SELECT DISTINCT ON (lower(one.address))
            one.address,
            one.place
        FROM unnest(string_to_array(p_addresses, '; ') || p_further) WITH ORDINALITY AS one (address, place)
        ORDER BY lower(one.address), one.place
    ) AS given
);
