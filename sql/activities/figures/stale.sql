-- Months of a source that were not counted as they stand now. Parameters: source, stage.
SELECT done.comm_month
FROM staging.ic_month_stage AS done
LEFT JOIN staging.ic_figure_month AS counted ON counted.source = %(source)s AND counted.comm_month = done.comm_month
WHERE done.stage = %(stage)s AND counted.applied_at IS DISTINCT FROM done.applied_at
ORDER BY 1
