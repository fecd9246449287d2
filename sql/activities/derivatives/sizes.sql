-- Communications of a window by activity type, as the master stage counted them. Parameters: source, window_start,
-- window_end.
SELECT
    item AS activity_type,
    sum(checked)::bigint AS communications
FROM staging.ic_figure
WHERE
    source = %(source)s AND figure = 'types'
    AND comm_month >= %(window_start)s AND comm_month < %(window_end)s
GROUP BY item
