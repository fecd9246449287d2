-- Every function but the two of 0001_staging_up.sql, as it is now: an upgrade runs this file after the numbered
-- migrations and before views.sql (ic_assets.core.schema). Other arguments make another function: the migration that
-- brings them drops the old one. CREATE OR REPLACE FUNCTION at the start of a line. No parameters.

-- The time zone of the legacy system: our connections set it; a person's psql session gets UTC.
CREATE OR REPLACE FUNCTION staging.ic_source_timezone() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('ic_assets.source_timezone', TRUE), ''), 'UTC');

-- The local time of the legacy system at the run's reference time. Our connections set it; a person's psql session gets
-- now().
CREATE OR REPLACE FUNCTION staging.ic_reference_time() RETURNS timestamp
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('ic_assets.reference_time', TRUE), '')::timestamptz, now())
AT TIME ZONE staging.ic_source_timezone();

-- How a value is looked up in the mapping tables: '(blank)' where there is none.
CREATE OR REPLACE FUNCTION staging.ic_key(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(staging.ic_norm(p_text), ''), '(blank)');

-- The most specific line of the classification decides: type and action, type alone, action alone. activity_type 'case'
-- means: by case id and priority.
CREATE OR REPLACE FUNCTION staging.classify_activity_type(
    p_comm_type text, p_comm_priority text, p_comm_caseid bigint, p_comm_action text DEFAULT NULL
)
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
    LEFT JOIN LATERAL (
        SELECT line.activity_type
        FROM staging.ic_activity_classification AS line
        WHERE
            line.comm_type IN (staging.ic_key(p_comm_type), '*') -- noqa: RF03
            AND line.comm_action IN (staging.ic_key(p_comm_action), '*') -- noqa: RF03
        ORDER BY line.comm_type = '*', line.comm_action = '*'
        LIMIT 1
    ) AS known ON TRUE
);

-- Whether a text is an e-mail address beyond doubt, which the reader of the others (engine/derivatives/addresses.py)
-- would take as it is. Only ASCII, no comments, no quotes; NULL for NULL. Linear in time.
CREATE OR REPLACE FUNCTION staging.ic_is_address(p_text text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(p_text) <= 64
AND p_text COLLATE "C"
~ '^[A-Za-z0-9_+-]+([.][A-Za-z0-9_+-]+)*@([A-Za-z0-9]+(-[A-Za-z0-9]+)*[.])+[A-Za-z]{2,24}$'
-- Domains of special use.
AND lower(right(p_text, 10)) COLLATE "C" !~ '[.@](arpa|invalid|local|localhost|onion|test)$';

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

-- Whether some portal declined just this payload of a record, and it was not removed since.
CREATE OR REPLACE FUNCTION hubspot.ic_was_declined(p_record_key text, p_object_type text, p_payload jsonb)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT 1
    FROM hubspot.portal AS p
    INNER JOIN hubspot.push_ledger AS l ON l.portal_id = p.portal_id
    WHERE
        l.record_key = p_record_key -- noqa: RF03
        AND l.object_type = p_object_type -- noqa: RF03
        AND l.part = 1
        AND l.state <> 'removed'
        AND l.desired_hash = md5(p_payload::text)::uuid -- noqa: RF03
);

-- A body as canonical JSON: keys in byte order, no blanks, UTF-8, numbers as jsonb holds them. Of several contents of
-- one event id the one that is greatest in this form, bytewise, stands, so that the order of arrival decides nothing.
CREATE OR REPLACE FUNCTION inbox.canonical(p_value jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
    CASE jsonb_typeof(p_value)
        WHEN 'object' THEN
            RETURN '{' || coalesce((
                SELECT
                    string_agg(
                        to_json(one.key)::text || ':' || inbox.canonical(one.value), ',' ORDER BY one.key COLLATE "C"
                    )
                FROM jsonb_each(p_value) AS one
            ), '') || '}';
        WHEN 'array' THEN
            RETURN '[' || coalesce((
                SELECT string_agg(inbox.canonical(one.value), ',' ORDER BY one.place)
                FROM jsonb_array_elements(p_value) WITH ORDINALITY AS one (value, place)
            ), '') || ']';
        ELSE
            RETURN p_value::text;
    END CASE;
END $$;

-- How the change log and a person's edits write a value: times as ISO 8601 in UTC with milliseconds, with microseconds
-- where there are any; numbers without trailing zeros; the members of a list joined by ';'.
CREATE OR REPLACE FUNCTION crm.canonical(p_value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_value;

CREATE OR REPLACE FUNCTION crm.canonical(p_value numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN trim_scale(p_value)::text;

CREATE OR REPLACE FUNCTION crm.canonical(p_value boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_value::text;

CREATE OR REPLACE FUNCTION crm.canonical(p_value text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_to_string(p_value, ';');

CREATE OR REPLACE FUNCTION crm.canonical(p_value timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(
    p_value AT TIME ZONE 'UTC',
    CASE
        WHEN date_trunc('milliseconds', p_value) = p_value THEN 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
        ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    END
);
