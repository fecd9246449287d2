-- Takes records of one object type in hand for their removal, unless something happened to them since they were
-- read: another hubspot_id, other contents, another worker. The intent and what was read are committed before
-- HubSpot hears of it, so that whoever comes after a crash finds out which of them still stand, and nothing goes
-- without a record. Grain: one ledger row. Returns what was taken. Parameters: portal_id, object_type, worker, and
-- rows: a JSON array of the objects below. Index: the primary key.
WITH read AS (
    SELECT *
    FROM
        jsonb_to_recordset(%(rows)s::jsonb) AS r ( -- noqa: AL05
            record_key text,
            part integer,
            hubspot_id bigint,
            hash uuid,
            before jsonb
        )
),

taken AS (
    UPDATE hubspot.push_ledger AS l SET
        state = 'in_flight',
        action = 'remove',
        worker = %(worker)s,
        push_id = %(worker)s,
        claimed_at = clock_timestamp(),
        updated_at = now()
    FROM read AS r
    WHERE
        l.portal_id = %(portal_id)s
        AND l.object_type = %(object_type)s
        AND l.record_key = r.record_key
        AND l.part = r.part
        AND l.hubspot_id = r.hubspot_id
        AND l.pushed_hash IS NOT DISTINCT FROM r.hash
        AND l.state IN ('pushed', 'pending', 'failed', 'held')
    RETURNING l.record_key, l.part, l.hubspot_id, r.before
)

INSERT INTO hubspot.push_rollback_record (
    push_id, portal_id, record_key, object_type, part, hubspot_id, outcome, before, recorded_at
)
SELECT
    %(worker)s AS push_id,
    %(portal_id)s AS portal_id,
    record_key,
    %(object_type)s AS object_type,
    part,
    hubspot_id,
    'intended' AS outcome,
    before,
    now() AS recorded_at
FROM taken
RETURNING record_key, part;
