-- The attempts of one sensor, or of all when sensor is NULL. Parameters: sensor.
SELECT
    a.sensor,
    a.subject,
    a.cause,
    a.attempts,
    a.tried_at,
    a.run_key,
    a.reason,
    clock_timestamp() - a.tried_at AS age
FROM staging.ic_attempt AS a
WHERE %(sensor)s::text IS NULL OR a.sensor = %(sensor)s
ORDER BY a.sensor, a.subject
