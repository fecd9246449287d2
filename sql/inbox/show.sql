-- One event by its number, or those with one event id. Parameters: id (bigint or NULL), event_id, source (NULL: any).
SELECT
    e.id,
    e.source,
    e.topic,
    e.event_id,
    e.occurred_at,
    e.received_at,
    e.verified_by,
    e.state,
    e.reason,
    e.done_at,
    e.body::text AS body,
    (
        SELECT
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'received_at', d.received_at, 'verified_by', d.verified_by, 'state', d.state, 'reason', d.reason
                    )
                    ORDER BY d.received_at
                ),
                '[]'
            )
        FROM inbox.duplicate AS d
        WHERE d.event = e.id
    ) AS other_contents
FROM inbox.event AS e
WHERE
    (e.id = %(id)s OR e.event_id = %(event_id)s)
    AND (%(source)s::text IS NULL OR e.source = %(source)s)
ORDER BY e.id = %(id)s DESC, e.id
LIMIT 20
