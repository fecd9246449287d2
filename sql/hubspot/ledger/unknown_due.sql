-- The worker's rows of unknown outcome that may be looked up now, with the payload that stands now.
-- {desired}: the flow's view of what shall stand of object_type. Parameters: portal_id, object_type, worker, row_limit.
-- Index: push_ledger_claimed.
SELECT
    l.record_key,
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
    md5(d.payload::text)::uuid AS hash,
    d.payload
FROM hubspot.push_ledger AS l
LEFT JOIN LATERAL (
    SELECT one.payload
    FROM {desired} AS one
    WHERE one.record_key = l.record_key AND one.part = l.part
    LIMIT 1 -- noqa: AM09
) AS d ON TRUE
WHERE
    l.portal_id = %(portal_id)s
    AND l.object_type = %(object_type)s
    AND l.worker = %(worker)s
    AND l.state = 'unknown'
    AND l.check_after <= clock_timestamp()
ORDER BY l.record_key, l.part
LIMIT %(row_limit)s;
