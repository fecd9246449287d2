-- Forgets a sensor's attempts at what is done, gone, or has another cause. Parameters: sensor, subjects and causes
-- (text[], beside each other): what is not done.
DELETE FROM staging.ic_attempt AS a
WHERE
    a.sensor = %(sensor)s
    AND NOT EXISTS (
        SELECT 1
        FROM unnest(%(subjects)s::text[], %(causes)s::text[]) AS open_work (subject, cause)
        WHERE open_work.subject = a.subject AND open_work.cause = a.cause
    )
