-- Rates of a file. Parameters: currencies, days, rates, as_ofs, ids.
INSERT INTO payments.exchange_rate (currency, rate_date, usd_per_unit, as_of, source, event_id)
SELECT
    g.currency,
    g.rate_date,
    g.usd_per_unit,
    g.as_of,
    'file',
    g.event_id
FROM
    unnest(
        %(currencies)s::text[], %(days)s::date[], %(rates)s::numeric[], %(as_ofs)s::timestamptz[], %(ids)s::text[]
    ) AS g (currency, rate_date, usd_per_unit, as_of, event_id)
ON CONFLICT DO NOTHING
