-- Puts months out of date under a new change number. Parameters: months (date[]), cause.
INSERT INTO staging.ic_month (comm_month, change_number, cause)
SELECT
    changed.comm_month,
    nextval('staging.ic_change_number') AS change_number,
    %(cause)s AS cause
FROM unnest(%(months)s::date[]) AS changed (comm_month)
ORDER BY changed.comm_month
ON CONFLICT (comm_month) DO UPDATE
    SET change_number = excluded.change_number, cause = excluded.cause, changed_at = now()
