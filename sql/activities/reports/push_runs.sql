-- The last pushes and roll-backs. run_id is Dagster's. No parameters.
SELECT
    push_id AS push,
    coalesce(run_id, '') AS run_id,
    mode,
    result,
    coalesce(approved_by, '') AS approved_by,
    started_at::timestamp(0) AS started_at,
    (counts ->> 'sent')::bigint AS sent,
    (counts ->> 'created')::bigint AS created,
    (counts ->> 'updated')::bigint AS updated,
    coalesce(counts ->> 'removed', counts ->> 'archived')::bigint AS removed,
    (counts ->> 'rejected')::bigint AS rejected,
    (counts ->> 'unknown')::bigint AS unknown,
    coalesce(stopped_reason, '') AS stopped_reason
FROM hubspot.push_run
ORDER BY push_id DESC
LIMIT 20
