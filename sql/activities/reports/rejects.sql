-- Rejected rows by drop and reason, with the first lines. No parameters.
SELECT
    drop_key AS drop,
    reason,
    coalesce(column_name, '') AS "column",
    count(*) AS rows,
    array_to_string((array_agg(line_number ORDER BY line_number))[1:8], ', ')
    || CASE WHEN count(*) > 8 THEN ' …' ELSE '' END AS lines
FROM staging.ic_rejected_row
GROUP BY 1, 2, 3
ORDER BY 1, 4 DESC, 2, 3
