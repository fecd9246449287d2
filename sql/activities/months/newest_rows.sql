-- The newest rows of the months of a run, as a sample for people. Grain: one row. Parameters: window_start, window_end,
-- row_limit; {table}, {columns} and {dated}, its date, which is indexed.
SELECT {columns}
FROM staging.{table}
WHERE {dated} >= %(window_start)s AND {dated} < %(window_end)s
ORDER BY {dated} DESC, id DESC
LIMIT %(row_limit)s
