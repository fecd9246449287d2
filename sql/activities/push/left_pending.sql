-- What a push planned and left pending since staging says something else of it by now. Grain: one activity type and
-- month. {table}: the derivative table of object_type. Parameters: portal_id, object_type, push_id. Index:
-- push_ledger_pending.
SELECT
    p.activity_type,
    p.activity_month,
    count(*) AS records
FROM hubspot.push_ledger AS l
INNER JOIN hubspot.push_plan AS p
    ON
        p.push_id = %(push_id)s
        AND l.object_type = p.object_type
        AND l.communication_id = p.communication_id
        AND l.part = p.part
LEFT JOIN staging.ic_communication_master AS m ON l.communication_id = m.comm_communicationid
LEFT JOIN {table} AS d ON m.id = d.ic_communication_master_id AND l.part = 1
LEFT JOIN staging.ic_payload_part AS continuation
    ON m.id = continuation.ic_communication_master_id AND l.part = continuation.part AND l.part > 1
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = %(object_type)s
    AND l.state = 'pending'
    AND CASE
        WHEN p.hash IS NOT NULL
            THEN
                md5(coalesce(d.hubspot_api_payload, continuation.payload)::text)::uuid IS DISTINCT FROM p.hash
                OR l.action = 'remove'
        WHEN l.action <> 'remove' THEN TRUE
        WHEN l.part > 1 THEN continuation.payload IS NOT NULL
        WHEN m.id IS NULL
            THEN NOT EXISTS (
                SELECT 1
                FROM staging.ic_deleted_communication AS gone
                WHERE gone.comm_communicationid = l.communication_id
            )
        ELSE m.derived_activity_type IS DISTINCT FROM p.activity_type
    END
GROUP BY p.activity_type, p.activity_month
ORDER BY p.activity_type, p.activity_month;
