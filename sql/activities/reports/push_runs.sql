-- The last pushes and roll-backs. run_id is Dagster's, as much of it as its UI shows. No parameters.
SELECT
    r.push_id AS push,
    left(coalesce(r.run_id, ''), 8) AS run_id,
    r.mode,
    concat_ws(': ', r.result, r.stopped_reason) AS result,
    concat_ws(', ', r.approved_by, to_char(a.approved_at, 'YYYY-MM-DD HH24:MI')) AS approved,
    to_char(r.started_at, 'YYYY-MM-DD HH24:MI') AS started_at,
    (r.counts ->> 'sent')::bigint AS sent,
    (r.counts ->> 'created')::bigint AS created,
    (r.counts ->> 'updated')::bigint AS updated,
    coalesce(r.counts ->> 'removed', r.counts ->> 'archived')::bigint AS removed,
    (r.counts ->> 'rejected')::bigint AS rejected,
    (r.counts ->> 'left_pending')::bigint AS left_pending,
    (r.counts ->> 'unknown')::bigint AS unknown
FROM hubspot.push_run AS r
LEFT JOIN hubspot.approval AS a ON r.approval_id = a.approval_id
ORDER BY r.push_id DESC
LIMIT 20
