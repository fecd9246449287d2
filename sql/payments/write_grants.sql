-- Free months that were granted. Parameters: subscriptions, as_ofs, ids, free, starts, terms.
INSERT INTO payments.free_months (subscription_id, as_of, event_id, free_months, starts_on, term_months)
SELECT
    g.subscription_id,
    g.as_of,
    g.event_id,
    g.free_months,
    g.starts_on,
    g.term_months
FROM
    unnest(
        %(subscriptions)s::text[], %(as_ofs)s::timestamptz[], %(ids)s::text[], %(free)s::numeric[], %(starts)s::date[],
        %(terms)s::int[]
    ) AS g (subscription_id, as_of, event_id, free_months, starts_on, term_months)
ON CONFLICT DO NOTHING
