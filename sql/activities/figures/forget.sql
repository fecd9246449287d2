-- Figures of a source in a window, and of months that its stage does not know. Parameters: source, stage, window_start,
-- window_end.
DELETE FROM staging.ic_figure AS f
WHERE
    f.source = %(source)s
    AND (
        (f.comm_month >= %(window_start)s AND f.comm_month < %(window_end)s)
        OR NOT EXISTS (
            SELECT 1 FROM staging.ic_month_stage AS done
            WHERE done.comm_month = f.comm_month AND done.stage = %(stage)s
        )
    )
