-- Writes what became of the records that a roll-back meant to take back. Grain: one record. Parameters: portal_id,
-- push_id, outcomes: a JSON array of the objects below. Index: push_rollback_record_hubspot_id.
UPDATE hubspot.push_rollback_record AS r SET
    outcome = o.outcome,
    reason = o.reason
FROM jsonb_to_recordset(%(outcomes)s::jsonb) AS o (hubspot_id bigint, outcome text, reason text)
WHERE
    r.portal_id = %(portal_id)s
    AND r.push_id = %(push_id)s
    AND r.hubspot_id = o.hubspot_id
    AND r.outcome = 'intended';
