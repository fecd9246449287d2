-- Brings the ledger of one portal in line with what a push has planned: what is new, changed, held or wanted again.
-- May be repeated: rows that a worker had in its hands are taken up once that is decided. Rows that a worker has in
-- its hands keep their state; settling compares what was sent with desired_hash. What this push saw refused or
-- changed by people, and what a later one or a roll-back has had in hand since, it leaves. Grain: one row of the
-- plan. Parameters: portal_id, push_id, latest (the highest push_id that does not count as later), held_because (the
-- flow's words for what it holds).
INSERT INTO hubspot.push_ledger AS l (
    portal_id, record_key, object_type, part, activity_type, activity_month,
    state, action, desired_hash, last_error
)
SELECT
    %(portal_id)s,
    p.record_key,
    p.object_type,
    p.part,
    p.activity_type,
    p.activity_month,
    CASE WHEN p.is_held THEN 'held' ELSE 'pending' END AS state,
    'create' AS action,
    p.hash AS desired_hash,
    CASE WHEN p.is_held THEN %(held_because)s END AS last_error
FROM hubspot.push_plan AS p
WHERE p.push_id = %(push_id)s AND p.hash IS NOT NULL
ON CONFLICT (portal_id, record_key, object_type, part) DO UPDATE SET
    activity_month = excluded.activity_month,
    activity_type = excluded.activity_type,
    desired_hash = excluded.desired_hash,
    state = CASE
        WHEN l.state IN ('in_flight', 'unknown') THEN l.state
        WHEN l.state = 'removed' OR l.hubspot_id IS NULL THEN excluded.state
        WHEN l.pushed_hash = excluded.desired_hash AND l.state <> 'held' THEN 'pushed'
        ELSE 'pending'
    END,
    action = CASE
        WHEN l.state IN ('in_flight', 'unknown') THEN l.action
        WHEN l.state = 'removed' OR l.hubspot_id IS NULL THEN 'create'
        WHEN l.pushed_hash = excluded.desired_hash AND l.state <> 'held' THEN NULL
        ELSE 'update'
    END,
    hubspot_id = CASE WHEN l.state <> 'removed' THEN l.hubspot_id END,
    pushed_hash = CASE WHEN l.state <> 'removed' THEN l.pushed_hash END,
    pushed = CASE WHEN l.state <> 'removed' THEN l.pushed END,
    attempts = CASE WHEN l.state IN ('in_flight', 'unknown') THEN l.attempts ELSE 0 END,
    last_error = CASE WHEN l.state IN ('in_flight', 'unknown') THEN l.last_error ELSE excluded.last_error END,
    error_category = NULL,
    correlation_id = NULL,
    updated_at = now()
WHERE
(l.push_id IS NULL OR l.push_id <= %(latest)s)
AND (
    (l.desired_hash, l.activity_month, l.activity_type)
    IS DISTINCT FROM (excluded.desired_hash, excluded.activity_month, excluded.activity_type)
    OR l.state = 'removed'
    OR (l.state = 'failed' AND l.push_id IS DISTINCT FROM %(push_id)s)
    OR (l.state = 'pushed' AND l.pushed_hash IS DISTINCT FROM excluded.desired_hash)
    OR (
        l.state = 'held'
        AND (excluded.state = 'pending' OR l.hubspot_id IS NOT NULL)
        AND (l.error_category IS NULL OR l.push_id IS DISTINCT FROM %(push_id)s)
    )
    OR (l.state = 'pending' AND l.hubspot_id IS NULL AND (excluded.state = 'held' OR l.action <> 'create'))
    OR (l.state = 'pending' AND l.action = 'remove')
);
