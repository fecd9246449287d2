-- What shall stand of one object type and does not yet, into the plan of one push. Grain: one record to be in HubSpot.
-- {desired}: the flow's view of what shall stand of the type (ledger/outgoing.py). Parameters: portal_id, object_type,
-- types (of the sources), window_start, window_end (activity_date, end excluded), include_orphans, push_id. Index: the
-- ledger's primary key.
WITH wanted AS MATERIALIZED ( -- each payload is hashed once
    SELECT
        d.record_key,
        d.part,
        d.activity_type,
        date_trunc('month', d.activity_date)::date AS activity_month,
        d.is_held AND NOT %(include_orphans)s AS is_held,
        md5(d.payload::text)::uuid AS hash
    FROM {desired} AS d
    WHERE
        d.activity_type = any(%(types)s)
        AND d.activity_date >= %(window_start)s
        AND d.activity_date < %(window_end)s
)

INSERT INTO hubspot.push_plan (
    push_id, object_type, record_key, part, activity_type, activity_month, is_held, hash
)
SELECT
    %(push_id)s,
    %(object_type)s,
    w.record_key,
    w.part,
    w.activity_type,
    w.activity_month,
    w.is_held,
    w.hash
FROM wanted AS w
LEFT JOIN hubspot.push_ledger AS l
    ON
        l.portal_id = %(portal_id)s
        AND w.record_key = l.record_key
        AND l.object_type = %(object_type)s
        AND w.part = l.part
WHERE
    (l.state, l.pushed_hash, l.desired_hash, l.activity_month, l.activity_type)
    IS DISTINCT FROM ('pushed', w.hash, w.hash, w.activity_month, w.activity_type);
