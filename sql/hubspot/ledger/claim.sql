-- Takes up to row_limit rows of one object type and action for one worker and commits the intent with the hash of what
-- will be sent. Only what the worker's plan names, and only while the flow says of it what it said when it was planned;
-- the rest stays pending. A removal waits until the source's new record stands, or the source stays deleted. sent_hash
-- becomes the zero uuid when an earlier attempt, never answered, sent something else: a record found later may then
-- hold either. Grain: one ledger row. {desired}, {sources}, {deleted}: views of the flow (ledger/outgoing.py).
-- Parameters: portal_id, object_type, action, after_key, after_part, row_limit, worker. Index: push_ledger_pending.
WITH picked AS (
    SELECT
        l.record_key,
        l.part,
        l.sent_hash AS earlier_hash,
        CASE WHEN l.action <> 'remove' THEN d.payload END AS payload
    FROM hubspot.push_ledger AS l
    INNER JOIN hubspot.push_plan AS p
        ON
            p.push_id = %(worker)s
            AND l.object_type = p.object_type
            AND l.record_key = p.record_key
            AND l.part = p.part
    -- LIMIT: a look-up by key for each row, however the planner takes the view to be.
    LEFT JOIN LATERAL (
        SELECT one.payload
        FROM {desired} AS one
        WHERE one.record_key = l.record_key AND one.part = l.part
        LIMIT 1 -- noqa: AM09
    ) AS d ON TRUE
    WHERE
        l.portal_id = %(portal_id)s
        AND l.object_type = %(object_type)s
        AND l.state = 'pending'
        AND l.action = %(action)s
        AND (l.record_key, l.part) > (%(after_key)s, %(after_part)s)
        -- The same for the plan, which would otherwise be read from its start for each claim.
        AND (p.record_key, p.part) > (%(after_key)s, %(after_part)s)
        AND CASE
            WHEN l.action <> 'remove' THEN p.hash = md5(d.payload::text)::uuid
            WHEN p.hash IS NOT NULL THEN FALSE
            WHEN l.part > 1 THEN d.payload IS NULL
            ELSE EXISTS (
                SELECT 1
                FROM {deleted} AS gone
                WHERE gone.record_key = l.record_key
            )
            OR EXISTS (
                SELECT 1
                FROM {sources} AS s
                INNER JOIN hubspot.push_ledger AS successor ON s.object_type = successor.object_type
                WHERE
                    s.record_key = l.record_key
                    AND successor.portal_id = l.portal_id
                    AND successor.record_key = l.record_key
                    AND successor.object_type <> l.object_type
                    AND successor.part = 1
                    AND successor.state = 'pushed'
            )
        END
    ORDER BY l.record_key, l.part
    LIMIT %(row_limit)s
    FOR UPDATE OF l SKIP LOCKED
)

UPDATE hubspot.push_ledger AS l SET
    state = 'in_flight',
    worker = %(worker)s,
    push_id = %(worker)s,
    claimed_at = clock_timestamp(),
    attempts = l.attempts + 1,
    desired_hash = coalesce(md5(picked.payload::text)::uuid, l.desired_hash),
    sent_hash = CASE
        WHEN l.action = 'remove' THEN l.sent_hash
        WHEN l.sent_hash IS NULL OR (l.action = 'create' AND l.attempts = 0) THEN md5(picked.payload::text)::uuid
        WHEN l.sent_hash = md5(picked.payload::text)::uuid THEN l.sent_hash
        ELSE '00000000-0000-0000-0000-000000000000'::uuid
    END,
    updated_at = now()
FROM picked
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = %(object_type)s
    AND l.record_key = picked.record_key
    AND l.part = picked.part
    AND l.state = 'pending'
RETURNING
    l.record_key, l.object_type, l.part, l.activity_type, l.action, l.hubspot_id, l.revision, l.attempts,
    l.pushed, l.sent_hash, picked.earlier_hash,
    coalesce(l.in_doubt_until > clock_timestamp(), FALSE) AS is_in_doubt,
    md5(picked.payload::text)::uuid AS hash, picked.payload;
