-- Whether at least so many current rows have landed, all of them inside the window. Parameters: window_start,
-- window_end, rows. Uses ic_communication_landing_datetime.
SELECT
    (
        SELECT coalesce(sum(inserted), 0) FROM staging.ic_drop
        WHERE state = 'landed'
    ) >= %(rows)s
    AND NOT EXISTS (
        SELECT 1 FROM staging.ic_communication_landing
        WHERE is_current AND comm_datetime < %(window_start)s
    )
    AND NOT EXISTS (
        SELECT 1 FROM staging.ic_communication_landing
        WHERE is_current AND comm_datetime >= %(window_end)s
    ) AS is_large
