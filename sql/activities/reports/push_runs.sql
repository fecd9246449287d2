-- The last pushes and roll-backs. run_id is Dagster's. No parameters.
SELECT
    r.push_id AS push,
    coalesce(r.run_id, '') AS run_id,
    r.mode,
    r.result,
    coalesce(r.approved_by, '') AS approved_by,
    coalesce(a.approved_at::timestamp(0)::text, '') AS approved_at,
    r.started_at::timestamp(0) AS started_at,
    (r.counts ->> 'sent')::bigint AS sent,
    (r.counts ->> 'created')::bigint AS created,
    (r.counts ->> 'updated')::bigint AS updated,
    coalesce(r.counts ->> 'removed', r.counts ->> 'archived')::bigint AS removed,
    (r.counts ->> 'rejected')::bigint AS rejected,
    (r.counts ->> 'left_pending')::bigint AS left_pending,
    (r.counts ->> 'unknown')::bigint AS unknown,
    coalesce(r.stopped_reason, '') AS stopped_reason
FROM hubspot.push_run AS r
LEFT JOIN hubspot.approval AS a ON r.approval_id = a.approval_id
ORDER BY r.push_id DESC
LIMIT 20
