-- Notes which state of its months a source has counted. Parameters: source, stage, window_start, window_end.
INSERT INTO staging.ic_figure_month (source, comm_month, applied_at)
SELECT
    %(source)s,
    done.comm_month,
    done.applied_at
FROM staging.ic_month_stage AS done
WHERE done.stage = %(stage)s AND done.comm_month >= %(window_start)s AND done.comm_month < %(window_end)s
ON CONFLICT (source, comm_month) DO UPDATE SET applied_at = excluded.applied_at
