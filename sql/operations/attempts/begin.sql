-- Records an attempt. Parameters: sensor, subject, cause, attempts, run_key.
INSERT INTO staging.ic_attempt (sensor, subject, cause, attempts, run_key)
VALUES (%(sensor)s, %(subject)s, %(cause)s, %(attempts)s, %(run_key)s)
ON CONFLICT (sensor, subject) DO UPDATE
    SET
        cause = excluded.cause,
        attempts = excluded.attempts,
        run_key = excluded.run_key,
        tried_at = clock_timestamp(),
        reason = NULL
