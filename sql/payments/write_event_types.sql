-- Brings payments.event_type to the file's lines. A type that events of the archive have stays, read by nobody.
-- Parameters: types, handlings.
WITH given AS (
    SELECT
        g.event_type,
        g.handling
    FROM unnest(%(types)s::text[], %(handlings)s::text[]) AS g (event_type, handling)
),

gone AS (
    DELETE FROM payments.event_type AS t
    WHERE
        NOT EXISTS (
            SELECT FROM given
            WHERE given.event_type = t.event_type
        )
        AND NOT EXISTS (
            SELECT FROM payments.payment_events AS e
            WHERE e.event_type = t.event_type
        )
)

INSERT INTO payments.event_type (event_type, handling)
SELECT
    event_type,
    handling
FROM given
ON CONFLICT (event_type) DO UPDATE SET handling = excluded.handling
