-- Writes the outcome of rows that this worker holds, and returns those that it did: the flow's own tables follow them
-- in the same transaction. Rows that another worker has taken over meanwhile are left alone. A row whose payload
-- changed while it was under way is pushed with what was sent and at once pending again. outcome: pushed, removed,
-- failed, held, unknown, pending (to be sent again), archived_holder (pending under a new unique value). Parameters:
-- portal_id, object_type, worker, pause, in_doubt (what was sent may come through once more within the pause), and
-- outcomes, a JSON array of the objects below (one value: an array of jsonb takes the driver many times as long to
-- write).
WITH outcome AS (
    SELECT *
    FROM
        jsonb_to_recordset(%(outcomes)s::jsonb) AS o ( -- noqa: AL05
            record_key text,
            part integer,
            outcome text,
            hubspot_id bigint,
            hash uuid,
            content jsonb,
            error text,
            category text,
            correlation_id text
        )
),

settled AS (
    UPDATE hubspot.push_ledger AS l SET
        state = CASE
            WHEN o.outcome = 'archived_holder' THEN 'pending'
            WHEN o.outcome <> 'pushed' THEN o.outcome
            WHEN l.desired_hash = o.hash THEN 'pushed'
            ELSE 'pending'
        END,
        action = CASE
            WHEN o.outcome = 'pushed' AND l.desired_hash = o.hash THEN NULL
            WHEN o.outcome = 'pushed' THEN 'update'
            WHEN o.outcome IN ('unknown', 'pending', 'archived_holder', 'failed', 'held') THEN l.action
        END,
        hubspot_id = coalesce(o.hubspot_id, l.hubspot_id),
        pushed_hash = CASE
            WHEN o.outcome = 'pushed' THEN o.hash WHEN o.outcome = 'removed' THEN NULL ELSE l.pushed_hash
        END,
        pushed = CASE
            WHEN o.outcome = 'pushed' THEN o.content WHEN o.outcome = 'removed' THEN NULL ELSE l.pushed
        END,
        pushed_at = CASE WHEN o.outcome = 'pushed' THEN now() ELSE l.pushed_at END,
        created_push_id = CASE
            WHEN o.outcome = 'pushed' AND l.action = 'create' THEN l.push_id ELSE l.created_push_id
        END,
        revision = l.revision + CASE WHEN o.outcome = 'archived_holder' THEN 1 ELSE 0 END,
        sent_hash = CASE
            WHEN o.outcome IN ('unknown', 'pending') THEN l.sent_hash
            -- Part of a refused update may stand: what differs in HubSpot then is not a person's doing.
            WHEN o.outcome = 'failed' AND l.action = 'update' THEN l.sent_hash
        END,
        last_error = o.error,
        error_category = o.category,
        correlation_id = o.correlation_id,
        worker = CASE WHEN o.outcome = 'unknown' THEN l.worker END,
        claimed_at = CASE WHEN o.outcome = 'unknown' THEN l.claimed_at END,
        check_after = CASE
            WHEN o.outcome = 'unknown' AND l.state = 'unknown'
                THEN greatest(l.in_doubt_until, clock_timestamp() + interval '20 milliseconds')
            WHEN o.outcome = 'unknown' THEN clock_timestamp()
        END,
        in_doubt_until = CASE
            WHEN o.outcome = 'unknown' AND l.state = 'unknown' THEN l.in_doubt_until
            WHEN o.outcome = 'unknown' OR %(in_doubt)s
                THEN clock_timestamp() + make_interval(secs => %(pause)s)
            WHEN l.in_doubt_until > clock_timestamp() THEN l.in_doubt_until
        END,
        updated_at = now()
    FROM outcome AS o
    WHERE
        l.portal_id = %(portal_id)s
        AND l.object_type = %(object_type)s
        AND l.record_key = o.record_key
        AND l.part = o.part
        AND l.worker = %(worker)s
        AND l.state IN ('in_flight', 'unknown')
    RETURNING l.record_key, l.part
)

SELECT
    record_key,
    part
FROM settled;
