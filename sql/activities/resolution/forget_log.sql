-- Parameters: window_start, window_end (the log is rewritten when its month is resolved again).
DELETE FROM staging.reconciliation_log
WHERE month >= %(window_start)s::date AND month < %(window_end)s::date
