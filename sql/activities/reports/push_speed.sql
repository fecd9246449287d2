-- Throughput, use of the rate budget and response times of the last pushes. The budget is judged from the first batch
-- to the last, waits included, against what was configured or HubSpot allows, whichever is less; a push of less than
-- two seconds says nothing about it. Response times are those of answered requests. Grain: one push. No parameters.
-- Uses push_request_push_id.
WITH latest AS (
    SELECT
        r.push_id,
        r.mode,
        extract(EPOCH FROM r.ended_at - r.started_at)::double precision AS seconds,
        (r.counts ->> 'sent')::bigint AS records,
        least((r.options ->> 'rps')::double precision, b.portal_rps) AS rps
    FROM hubspot.push_run AS r
    LEFT JOIN hubspot.rate_budget AS b ON b.portal_id = r.portal_id AND b.kind = 'any'
    WHERE r.mode <> 'rollback' AND (r.counts ->> 'sent')::bigint > 0
    ORDER BY r.push_id DESC
    LIMIT 10
),

span AS (
    SELECT
        q.push_id,
        min(q.sent_at) AS first_at,
        max(q.sent_at) AS last_at
    FROM hubspot.push_request AS q
    INNER JOIN latest ON q.push_id = latest.push_id
    WHERE q.operation LIKE 'batch/%%'
    GROUP BY 1
)

SELECT
    latest.push_id AS push,
    latest.mode,
    latest.records,
    round(latest.seconds::numeric, 1)::double precision AS seconds,
    latest.records / nullif(latest.seconds, 0) AS records_per_second,
    count(q.*) AS requests,
    CASE
        WHEN span.last_at >= span.first_at + interval '2 seconds'
            THEN
                (count(q.*) FILTER (WHERE q.sent_at BETWEEN span.first_at AND span.last_at) - 1)
                / (extract(EPOCH FROM span.last_at - span.first_at)::double precision * latest.rps)
    END AS budget_share,
    avg(q.milliseconds) FILTER (WHERE q.status IS NOT NULL) AS mean_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY q.milliseconds) FILTER (WHERE q.status IS NOT NULL) AS p95_ms,
    count(q.*) FILTER (WHERE q.status IS NULL) AS without_answer,
    count(q.*) FILTER (WHERE q.status = 429) AS too_many_requests
FROM latest
INNER JOIN span ON latest.push_id = span.push_id
INNER JOIN hubspot.push_request AS q ON latest.push_id = q.push_id
GROUP BY latest.push_id, latest.mode, latest.records, latest.seconds, latest.rps, span.first_at, span.last_at
ORDER BY latest.push_id DESC
