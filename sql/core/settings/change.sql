-- Keeps another value of a setting. Parameters: name, setting_value.
INSERT INTO staging.ic_setting (name, value)
VALUES (%(name)s, %(setting_value)s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, kept_at = now();
