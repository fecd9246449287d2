-- The settings that shape the data, as they were when it was made. Run once by the schema migration 0025;
-- 0025_settings_down.sql takes it back. No parameters.

-- name: of the environment variable. value: as the variable of the same name has it, empty for none.
CREATE TABLE staging.ic_setting (
    name text PRIMARY KEY,
    value text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE staging.ic_month DROP CONSTRAINT ic_month_cause_check;
ALTER TABLE staging.ic_month ADD CONSTRAINT ic_month_cause_check
CHECK (cause IN ('landing', 'reconciliation', 'classification', 'setting'));

-- What a database with data was read with; the others are kept by the next run.
INSERT INTO staging.ic_setting (name, value)
SELECT
    split_part(words.word, '=', 1) AS name,
    split_part(words.word, '=', 2) AS value
FROM (
    SELECT d.reading FROM staging.ic_drop AS d
    WHERE d.state = 'landed' AND d.rows_in > d.rejected AND d.reading IS NOT NULL
    ORDER BY d.drop_id DESC
    LIMIT 1
) AS newest
CROSS JOIN unnest(string_to_array(newest.reading, ' ')) AS words (word);
