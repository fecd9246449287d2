-- Drops whose rows do not add up: rows in the file against the landed rows by fate and the rejected ones, counted anew.
-- Parameters: drop_keys (text[], NULL for all); recount (whether to count the landed rows or to take the drop's word).
WITH judged AS (
    SELECT
        d.drop_id,
        d.drop_key,
        d.rows_in,
        d.rejected,
        d.inserted,
        d.updated,
        d.unchanged,
        d.joined
    FROM staging.ic_drop AS d
    WHERE d.state = 'landed' AND (%(drop_keys)s::text[] IS NULL OR d.drop_key = any(%(drop_keys)s::text[]))
),

landed AS (
    SELECT
        drop_id,
        count(*) FILTER (WHERE fate = 'inserted') AS inserted,
        count(*) FILTER (WHERE fate = 'updated') AS updated,
        count(*) FILTER (WHERE fate = 'unchanged') AS unchanged,
        count(*) FILTER (WHERE fate = 'joined') AS joined
    FROM staging.ic_communication_landing
    WHERE %(recount)s AND drop_id IN (SELECT judged.drop_id FROM judged)
    GROUP BY drop_id
    UNION ALL
    SELECT
        drop_id,
        inserted,
        updated,
        unchanged,
        joined
    FROM judged
    WHERE NOT %(recount)s
),

refused AS (
    SELECT
        drop_key,
        count(*) AS rejected
    FROM staging.ic_rejected_row
    WHERE drop_key IN (SELECT judged.drop_key FROM judged)
    GROUP BY drop_key
),

account AS (
    SELECT
        d.drop_key,
        d.rows_in,
        coalesce(l.inserted, 0) AS inserted,
        coalesce(l.updated, 0) AS updated,
        coalesce(l.unchanged, 0) AS unchanged,
        coalesce(l.joined, 0) AS joined,
        coalesce(r.rejected, 0) AS rejected,
        d.rows_in = coalesce(l.inserted, 0) + coalesce(l.updated, 0) + coalesce(l.unchanged, 0)
        + coalesce(l.joined, 0) + coalesce(r.rejected, 0)
        AND (d.inserted, d.updated, d.unchanged, d.joined, d.rejected)
        = (
            coalesce(l.inserted, 0),
            coalesce(l.updated, 0),
            coalesce(l.unchanged, 0),
            coalesce(l.joined, 0),
            coalesce(r.rejected, 0)
        ) AS holds
    FROM judged AS d
    LEFT JOIN landed AS l ON l.drop_id = d.drop_id
    LEFT JOIN refused AS r ON r.drop_key = d.drop_key
)

SELECT
    count(*) FILTER (WHERE NOT holds) AS failing,
    count(*) AS checked,
    jsonb_agg(to_jsonb(account) - 'holds') FILTER (WHERE NOT holds) AS sample
FROM account
