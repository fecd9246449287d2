-- What shall stand of one activity type and does not yet, into the plan of one push. Grain: one record to be in
-- HubSpot: a communication (part 1), and each note that continues its over-long body. A derivative that failed on
-- this side has no valid payload and is left out; one that shows as failed since some portal refused it has, and is
-- not: whether it is failed in this portal, its ledger says. {table}: staging.ic_<type>. Parameters: portal_id,
-- object_type, window_start, window_end (activity_date, end excluded), include_orphans, push_id. Indexes:
-- activity_date of the table, the primary keys.
WITH chosen AS NOT MATERIALIZED (
    SELECT
        m.id,
        m.comm_communicationid,
        date_trunc('month', d.activity_date)::date AS activity_month,
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
        activity_month,
        is_held,
        md5(hubspot_api_payload::text)::uuid AS hash
    FROM chosen
    UNION ALL
    SELECT
        chosen.comm_communicationid,
        'notes' AS object_type,
        p.part,
        chosen.activity_month,
        chosen.is_held,
        md5(p.payload::text)::uuid AS hash
    FROM chosen
    INNER JOIN staging.ic_payload_part AS p
        ON chosen.id = p.ic_communication_master_id AND p.activity_type = %(object_type)s
)

INSERT INTO hubspot.push_plan (
    push_id, object_type, communication_id, part, activity_type, activity_month, is_held, hash
)
SELECT
    %(push_id)s,
    w.object_type,
    w.comm_communicationid,
    w.part,
    %(object_type)s AS activity_type,
    w.activity_month,
    w.is_held,
    w.hash
FROM wanted AS w
LEFT JOIN hubspot.push_ledger AS l
    ON
        l.portal_id = %(portal_id)s
        AND w.comm_communicationid = l.communication_id
        AND w.object_type = l.object_type
        AND w.part = l.part
WHERE
    (l.state, l.pushed_hash, l.desired_hash, l.activity_month, l.activity_type)
    IS DISTINCT FROM ('pushed', w.hash, w.hash, w.activity_month, %(object_type)s::text);
