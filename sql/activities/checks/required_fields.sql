-- The required field of a derivative table that is missing most often. No parameters; {table}; {names}
-- and {texts} are arrays, of the columns' names and, as text, of their values in d.
SELECT
    coalesce(max(counted.missing), 0) AS failing,
    coalesce(max(counted.total), 0) AS checked,
    jsonb_agg(jsonb_build_object('column', counted.field, 'missing', counted.missing) ORDER BY counted.field)
    FILTER (WHERE counted.missing > 0) AS sample
FROM (
    SELECT
        field.name AS field,
        count(*) AS total,
        count(*) FILTER (WHERE field.value IS NULL) AS missing
    FROM staging.{table} AS d
    CROSS JOIN LATERAL unnest({names}, {texts}) AS field (name, value)
    GROUP BY field.name
) AS counted
