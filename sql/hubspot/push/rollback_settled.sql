-- Brings the records of roll-backs that were broken off in line with the ledger, once that knows what became of
-- what they had in hand. Grain: one record. Parameters: portal_id. Index: push_rollback_record_hubspot_id.
UPDATE hubspot.push_rollback_record AS r SET
    outcome = CASE WHEN l.state = 'removed' THEN 'archived' ELSE 'failed' END,
    reason = CASE WHEN l.state = 'removed' THEN r.reason ELSE 'the roll-back was broken off' END
FROM hubspot.push_ledger AS l
WHERE
    r.portal_id = %(portal_id)s
    AND r.outcome = 'intended'
    AND l.portal_id = r.portal_id
    AND l.record_key = r.record_key
    AND l.object_type = r.object_type
    AND l.part = r.part
    AND l.state NOT IN ('in_flight', 'unknown');
