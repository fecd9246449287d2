-- Continuation notes that a shorter body no longer needs, into the plan of one push. The first part must stand in its
-- table with a payload: parts that went with a staging roll-back are left alone. Grain: one part from 2. {table}: the
-- derivative table of object_type. Parameters: portal_id, object_type (the type that the communication has now),
-- window_start, window_end, push_id. Index: push_ledger_part.
INSERT INTO hubspot.push_plan (
    push_id, object_type, communication_id, part, activity_type, activity_month, is_held, hash
)
SELECT
    %(push_id)s,
    l.object_type,
    l.communication_id,
    l.part,
    %(object_type)s AS activity_type,
    l.activity_month,
    FALSE AS is_held,
    NULL::uuid AS hash
FROM hubspot.push_ledger AS l
INNER JOIN staging.ic_communication_master AS m ON l.communication_id = m.comm_communicationid
INNER JOIN {table} AS d ON m.id = d.ic_communication_master_id AND d.hubspot_api_payload IS NOT NULL
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = 'notes'
    AND l.part > 1
    AND l.state <> 'removed'
    AND m.derived_activity_type = %(object_type)s
    AND d.activity_date >= %(window_start)s
    AND d.activity_date < %(window_end)s
    AND NOT EXISTS (
        SELECT 1
        FROM staging.ic_payload_part AS p
        WHERE
            p.ic_communication_master_id = m.id -- noqa: RF01
            AND p.part = l.part
            AND p.activity_type = %(object_type)s
    );
