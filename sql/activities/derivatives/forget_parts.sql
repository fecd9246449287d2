-- Continuations of a slice's bodies, before they are written again. Not by the view: the planner knows nothing of a
-- table that was never large, and would work the whole view out for it. Parameters: those of {slice}, a condition on v;
-- activity_type.
DELETE FROM staging.ic_payload_part AS p
USING (
    SELECT
        id AS ic_communication_master_id,
        comm_datetime AS activity_date
    FROM staging.ic_communication_master
    WHERE derived_activity_type = %(activity_type)s
) AS v
WHERE
    p.ic_communication_master_id = v.ic_communication_master_id
    AND {slice}
    AND NOT EXISTS (
        SELECT 1 FROM ic_rendered_body AS b
        WHERE b.ic_communication_master_id = p.ic_communication_master_id AND b.part = p.part
    )
