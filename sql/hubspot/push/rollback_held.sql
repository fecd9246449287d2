-- Records what a roll-back held back, but for what the records show as held back in the same way already. Grain: one
-- record. Parameters: portal_id, push_id, object_type, rows: a JSON array of the objects below. Index:
-- push_rollback_record_hubspot_id.
INSERT INTO hubspot.push_rollback_record (
    push_id, portal_id, record_key, object_type, part, hubspot_id, outcome, before, reason, recorded_at
)
SELECT
    %(push_id)s AS push_id,
    %(portal_id)s AS portal_id,
    h.record_key,
    %(object_type)s AS object_type,
    h.part,
    h.hubspot_id,
    'held_back' AS outcome,
    h.before,
    h.reason,
    now() AS recorded_at
FROM
    jsonb_to_recordset(%(rows)s::jsonb) AS h ( -- noqa: AL05
        record_key text,
        part integer,
        hubspot_id bigint,
        before jsonb,
        reason text
    )
LEFT JOIN LATERAL (
    SELECT
        r.outcome,
        r.before,
        r.reason
    FROM hubspot.push_rollback_record AS r
    WHERE r.portal_id = %(portal_id)s AND r.hubspot_id = h.hubspot_id
    ORDER BY r.record_id DESC
    LIMIT 1
) AS latest ON TRUE
WHERE (latest.outcome, latest.before, latest.reason) IS DISTINCT FROM ('held_back'::text, h.before, h.reason);
