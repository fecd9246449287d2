-- What one type has to push, as counts and an order-free digest of its payloads: it changes when any payload does, and
-- when a record joins or leaves, and stays the same while a push makes its way.
-- Parameters: window_start, window_end (NULL for no bound), activity_type; {table}.
SELECT
    count(*) FILTER (WHERE NOT m.is_orphaned) AS records,
    count(*) FILTER (WHERE m.is_orphaned) AS orphans,
    coalesce(
        sum(hashtextextended(d.hubspot_api_payload::text, m.comm_communicationid)::numeric)
        FILTER (WHERE NOT m.is_orphaned), 0
    )::text AS records_digest,
    coalesce(
        sum(hashtextextended(d.hubspot_api_payload::text, m.comm_communicationid)::numeric)
        FILTER (WHERE m.is_orphaned), 0
    )::text AS orphans_digest,
    (
        SELECT coalesce(sum(hashtextextended(p.payload::text, p.comm_communicationid)::numeric), 0)::text
        FROM staging.ic_payload_part AS p
        WHERE p.activity_type = %(activity_type)s
    ) AS parts_digest
FROM staging.{table} AS d
INNER JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id
WHERE
    d.hubspot_api_payload IS NOT NULL
    AND (%(window_start)s::timestamp IS NULL OR d.activity_date >= %(window_start)s::timestamp)
    AND (%(window_end)s::timestamp IS NULL OR d.activity_date < %(window_end)s::timestamp)
