-- What stands in the fields that people's edits can change, as text, and how far their edits have come; read after the
-- companies' rows were locked. {fields}: name and text of each field. Parameters: companies.
SELECT
    p.company,
    jsonb_build_object({fields}) AS standing,
    (
        SELECT
            jsonb_object_agg(
                e.field,
                jsonb_build_array(
                    to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    e.turn,
                    e.cause,
                    e.is_taken,
                    e.released_at
                )
            )
        FROM crm.field_edit AS e
        WHERE e.company = p.company
    ) AS edits
FROM crm.company_profile_meta_data AS p
WHERE p.company = any(%(companies)s)
