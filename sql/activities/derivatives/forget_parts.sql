-- Continuations of a slice's bodies, before they are written again. Parameters: those of {slice}, a condition on v;
-- {view}.
DELETE FROM staging.ic_payload_part AS p
USING staging.{view} AS v
WHERE
    p.ic_communication_master_id = v.ic_communication_master_id
    AND {slice}
    AND NOT EXISTS (
        SELECT 1 FROM ic_rendered_body AS b
        WHERE b.ic_communication_master_id = p.ic_communication_master_id AND b.part = p.part
    )
