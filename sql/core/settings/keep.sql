-- Keeps the settings that shape the data as they were first used; what is kept stays. Parameters, side by side: names,
-- setting_values.
INSERT INTO staging.ic_setting (name, value)
SELECT
    used.name,
    used.value
FROM unnest(%(names)s::text[], %(setting_values)s::text[]) AS used (name, value)
ORDER BY used.name
ON CONFLICT (name) DO NOTHING;
