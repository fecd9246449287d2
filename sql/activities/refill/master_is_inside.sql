-- Whether all of the master lies inside a window: other runs may be at work on months outside it.
-- Parameters: window_start, window_end. Uses ic_communication_master_datetime.
SELECT
    NOT EXISTS (
        SELECT 1 FROM staging.ic_communication_master
        WHERE comm_datetime < %(window_start)s
    )
    AND NOT EXISTS (
        SELECT 1 FROM staging.ic_communication_master
        WHERE comm_datetime >= %(window_end)s
    ) AS is_inside
