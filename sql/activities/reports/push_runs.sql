-- The last pushes. No parameters.
SELECT
    push_id,
    mode,
    result,
    coalesce(approved_by, '') AS approved_by,
    started_at::timestamp(0) AS started_at,
    extract(EPOCH FROM ended_at - started_at)::numeric(10, 1) AS seconds,
    coalesce(stopped_reason, '') AS stopped_reason
FROM hubspot.push_run
ORDER BY push_id DESC
LIMIT 20
