-- Brings the ledger of one portal in line with one activity type: what is new, changed, held or wanted
-- again. Grain: one record to be in HubSpot: a communication (part 1), and each note that continues its
-- over-long body. Rows that a worker has in its hands keep their state; settling compares what was sent
-- with desired_hash. A run that plans a second time leaves what it saw refused. A derivative that failed on
-- this side, not at HubSpot, has no valid payload and is left out. {table}: staging.ic_<type>. Parameters:
-- portal_id, object_type, window_start, window_end (activity_date, end excluded), include_orphans, push_id.
-- Indexes: activity_date of the table, the primary keys.
WITH chosen AS NOT MATERIALIZED (
    SELECT
        m.id,
        m.comm_communicationid,
        d.activity_date,
        d.hubspot_api_payload,
        m.is_orphaned AND NOT %(include_orphans)s AS is_held
    FROM {table} AS d
    INNER JOIN staging.ic_communication_master AS m ON d.ic_communication_master_id = m.id
    WHERE
        d.activity_date >= %(window_start)s
        AND d.activity_date < %(window_end)s
        AND m.derived_activity_type = %(object_type)s
        AND d.hubspot_api_payload IS NOT NULL
        AND (
            d.api_push_status <> 'failed'
            OR EXISTS (
                SELECT 1
                FROM hubspot.push_ledger AS refused
                WHERE
                    refused.communication_id = m.comm_communicationid
                    AND refused.object_type = %(object_type)s
                    AND refused.part = 1
                    AND refused.state <> 'removed'
                    AND refused.desired_hash = md5(d.hubspot_api_payload::text)::uuid
            )
        )
),

wanted AS (
    SELECT
        comm_communicationid,
        %(object_type)s::text AS object_type,
        1 AS part,
        activity_date,
        is_held,
        hubspot_api_payload AS payload
    FROM chosen
    UNION ALL
    SELECT
        chosen.comm_communicationid,
        'notes' AS object_type,
        p.part,
        chosen.activity_date,
        chosen.is_held,
        p.payload
    FROM chosen
    INNER JOIN staging.ic_payload_part AS p
        ON chosen.id = p.ic_communication_master_id AND p.activity_type = %(object_type)s
)

INSERT INTO hubspot.push_ledger AS l (
    portal_id, communication_id, object_type, part, activity_type, activity_month,
    state, action, desired_hash, last_error, push_id
)
SELECT
    %(portal_id)s,
    comm_communicationid,
    object_type,
    part,
    %(object_type)s AS activity_type,
    date_trunc('month', activity_date)::date AS activity_month,
    CASE WHEN is_held THEN 'held' ELSE 'pending' END AS state,
    'create' AS action,
    md5(payload::text)::uuid AS desired_hash,
    CASE WHEN is_held THEN 'orphan: no contact, company or deal in HubSpot' END AS last_error,
    %(push_id)s
FROM wanted
ON CONFLICT (portal_id, communication_id, object_type, part) DO UPDATE SET
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
(l.desired_hash, l.activity_month, l.activity_type)
IS DISTINCT FROM (excluded.desired_hash, excluded.activity_month, excluded.activity_type)
OR l.state = 'removed'
OR (l.state = 'failed' AND l.push_id IS DISTINCT FROM %(push_id)s)
OR (l.state = 'pushed' AND l.pushed_hash IS DISTINCT FROM excluded.desired_hash)
OR (l.state = 'held' AND (excluded.state = 'pending' OR l.hubspot_id IS NOT NULL))
OR (l.state = 'pending' AND l.hubspot_id IS NULL AND (excluded.state = 'held' OR l.action <> 'create'))
OR (l.state = 'pending' AND l.action = 'remove');
