-- Response times of the last push that sent something, by kind of request. No parameters. Uses push_request_push_id.
SELECT
    q.operation,
    count(*) AS requests,
    sum(q.inputs)::bigint AS inputs,
    avg(q.milliseconds) AS mean_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY q.milliseconds) AS p95_ms
FROM hubspot.push_request AS q
WHERE
    q.status IS NOT NULL
    AND q.push_id = (
        SELECT max(r.push_id)
        FROM hubspot.push_run AS r
        WHERE r.mode <> 'rollback' AND (r.counts ->> 'sent')::bigint > 0
    )
GROUP BY 1
ORDER BY 2 DESC, 1
