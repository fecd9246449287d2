-- Records that an attempt has ended and its work is not done. Parameters: sensor, run_key, reason.
UPDATE staging.ic_attempt
SET reason = %(reason)s, tried_at = clock_timestamp()
WHERE sensor = %(sensor)s AND run_key = %(run_key)s AND reason IS NULL
