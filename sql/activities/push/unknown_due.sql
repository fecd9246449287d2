-- The worker's rows of unknown outcome that may be looked up now, with the payload that stands now.
-- {table}: the derivative table of object_type. Parameters: portal_id, object_type, worker, row_limit.
-- Index: push_ledger_claimed.
SELECT
    l.communication_id,
    l.object_type,
    l.part,
    l.activity_type,
    l.action,
    l.hubspot_id,
    l.revision,
    l.attempts,
    l.pushed,
    l.sent_hash,
    l.in_doubt_until <= clock_timestamp() AS is_settled,
    md5(coalesce(d.hubspot_api_payload, p.payload)::text)::uuid AS hash,
    coalesce(d.hubspot_api_payload, p.payload) AS payload
FROM hubspot.push_ledger AS l
LEFT JOIN staging.ic_communication_master AS m ON l.communication_id = m.comm_communicationid
LEFT JOIN {table} AS d ON m.id = d.ic_communication_master_id AND l.part = 1
LEFT JOIN staging.ic_payload_part AS p ON m.id = p.ic_communication_master_id AND l.part = p.part AND l.part > 1
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = %(object_type)s
    AND l.worker = %(worker)s
    AND l.state = 'unknown'
    AND l.check_after <= clock_timestamp()
ORDER BY l.communication_id, l.part
LIMIT %(row_limit)s;
