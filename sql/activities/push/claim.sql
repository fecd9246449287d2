-- Takes up to row_limit rows of one object type and action for one worker and commits the intent with the hash of
-- what will be sent. Only what the worker's plan names, and only while staging says of it what it said when it was
-- planned; the rest stays pending. A removal waits until the communication's new record stands, or stays gone from the
-- source. sent_hash becomes the zero uuid when an earlier attempt, never answered, sent something else: a record found
-- later may then hold either.
-- Grain: one ledger row. {table}: the derivative table of object_type. Parameters: portal_id, object_type, action,
-- after_id, row_limit, worker. Index: push_ledger_pending.
WITH picked AS (
    SELECT
        l.communication_id,
        l.part,
        l.sent_hash AS earlier_hash,
        CASE WHEN l.action <> 'remove' THEN payload.payload END AS payload
    FROM hubspot.push_ledger AS l
    INNER JOIN hubspot.push_plan AS p
        ON
            p.push_id = %(worker)s
            AND l.object_type = p.object_type
            AND l.communication_id = p.communication_id
            AND l.part = p.part
    LEFT JOIN staging.ic_communication_master AS m ON l.communication_id = m.comm_communicationid
    LEFT JOIN LATERAL (
        SELECT d.hubspot_api_payload AS payload
        FROM {table} AS d
        WHERE l.part = 1 AND d.ic_communication_master_id = m.id
        UNION ALL
        SELECT continuation.payload
        FROM staging.ic_payload_part AS continuation
        WHERE l.part > 1 AND continuation.ic_communication_master_id = m.id AND continuation.part = l.part
    ) AS payload ON TRUE
    WHERE
        l.portal_id = %(portal_id)s
        AND l.object_type = %(object_type)s
        AND l.state = 'pending'
        AND l.action = %(action)s
        AND l.communication_id > %(after_id)s
        AND CASE
            WHEN l.action <> 'remove' THEN p.hash = md5(payload.payload::text)::uuid
            WHEN p.hash IS NOT NULL THEN FALSE
            WHEN l.part > 1 THEN payload.payload IS NULL
            ELSE EXISTS (
                SELECT 1
                FROM staging.ic_deleted_communication AS gone
                WHERE gone.comm_communicationid = l.communication_id
            )
            OR EXISTS (
                SELECT 1
                FROM hubspot.push_ledger AS successor
                WHERE
                    successor.portal_id = l.portal_id
                    AND successor.communication_id = l.communication_id
                    AND successor.object_type = m.derived_activity_type
                    AND successor.object_type <> l.object_type
                    AND successor.part = 1
                    AND successor.state = 'pushed'
            )
        END
    ORDER BY l.communication_id, l.part
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
    AND l.communication_id = picked.communication_id
    AND l.part = picked.part
    AND l.state = 'pending'
RETURNING
    l.communication_id, l.object_type, l.part, l.activity_type, l.action, l.hubspot_id, l.revision, l.attempts,
    l.pushed, l.sent_hash, picked.earlier_hash,
    coalesce(l.in_doubt_until > clock_timestamp(), FALSE) AS is_in_doubt,
    md5(picked.payload::text)::uuid AS hash, picked.payload;
