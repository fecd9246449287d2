-- Continuations of bodies over HubSpot's length limit, as notes on the same records.
-- Parameters: those of {slice}, a condition on v, and of the payload; {view}, {payload}; activity_type.
INSERT INTO staging.ic_payload_part AS p (
    activity_type, ic_communication_master_id, comm_communicationid, part, payload
)
SELECT
    %(activity_type)s,
    v.ic_communication_master_id,
    v.comm_communicationid,
    b.part,
    ({payload})::jsonb
FROM (
    SELECT
        given.*, -- noqa: AM04
        people.contact_ids AS further_contact_ids,
        people.company_ids AS further_company_ids
    FROM staging.{view} AS given
    LEFT JOIN staging.v_ic_communication_people AS people
        ON people.ic_communication_master_id = given.ic_communication_master_id
) AS v
INNER JOIN ic_rendered_body AS b ON b.ic_communication_master_id = v.ic_communication_master_id
WHERE b.part > 1 AND {slice}
ON CONFLICT (ic_communication_master_id, part) DO UPDATE
    SET activity_type = excluded.activity_type, payload = excluded.payload
    WHERE (p.activity_type, p.payload) IS DISTINCT FROM (excluded.activity_type, excluded.payload)
