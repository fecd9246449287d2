-- The views of payments, as they are now; see views.sql for how this file is run. No parameters.

-- Grain: one day from the first movement to the last, or to today.
CREATE OR REPLACE VIEW payments.v_mrr_total_daily AS
WITH moved AS (
    SELECT
        d.day,
        sum(d.new) AS new,
        sum(d.expansion) AS expansion,
        sum(d.contraction) AS contraction,
        sum(d.churn) AS churn,
        sum(d.reactivation) AS reactivation,
        sum(d.fx) AS fx
    FROM payments.mrr_daily AS d
    GROUP BY d.day
),

days AS (
    SELECT days.day::date AS day
    FROM generate_series(
        (SELECT min(m.day) FROM moved AS m),
        greatest((SELECT max(m.day) FROM moved AS m), (now() AT TIME ZONE 'UTC')::date),
        interval '1 day'
    ) AS days (day)
)

SELECT
    t.day,
    sum(t.total) OVER (ORDER BY t.day) - t.total AS start_mrr,
    t.new,
    t.expansion,
    t.contraction,
    t.churn,
    t.reactivation,
    t.fx,
    sum(t.total) OVER (ORDER BY t.day) AS end_mrr
FROM (
    SELECT
        days.day,
        coalesce(m.new, 0) AS new,
        coalesce(m.expansion, 0) AS expansion,
        coalesce(m.contraction, 0) AS contraction,
        coalesce(m.churn, 0) AS churn,
        coalesce(m.reactivation, 0) AS reactivation,
        coalesce(m.fx, 0) AS fx,
        coalesce(m.new + m.expansion + m.contraction + m.churn + m.reactivation + m.fx, 0) AS total
    FROM days
    LEFT JOIN moved AS m ON days.day = m.day
) AS t;

-- Grain: one company_key and month in which something moved, or a subscription ended that was worth nothing
-- (ended_at_zero).
CREATE OR REPLACE VIEW payments.v_mrr_monthly AS
WITH moved AS (
    SELECT
        d.company_key,
        date_trunc('month', d.day)::date AS month,
        (array_agg(d.start_mrr ORDER BY d.day ASC))[1] AS start_mrr,
        sum(d.new) AS new,
        sum(d.expansion) AS expansion,
        sum(d.contraction) AS contraction,
        sum(d.churn) AS churn,
        sum(d.reactivation) AS reactivation,
        sum(d.fx) AS fx,
        (array_agg(d.end_mrr ORDER BY d.day DESC))[1] AS end_mrr
    FROM payments.mrr_daily AS d
    GROUP BY d.company_key, date_trunc('month', d.day)
),

ended AS (
    SELECT
        coalesce(r.company, '?' || r.customer_id) AS company_key,
        date_trunc('month', r.valid_from AT TIME ZONE 'UTC')::date AS month,
        count(*) AS ended_at_zero
    FROM (
        SELECT
            s.*,
            lag(s.has_ended) OVER w AS had_ended,
            lag(s.status) OVER w AS status_before,
            lag(s.effective_mrr) OVER w AS effective_before
        FROM (
            -- What is active and does not count has ended, by its schedule or deleted, or is paused by its schedule.
            SELECT
                m.*,
                m.status IN ('cancelled', 'transferred')
                OR (m.status = 'non_renewing' AND NOT m.counted)
                OR (m.status = 'active' AND NOT m.counted AND m.cause <> 'clock:pause_date') AS has_ended
            FROM payments.subscription_mrr AS m
        ) AS s
        WINDOW w AS (PARTITION BY s.subscription_id ORDER BY s.valid_from)
    ) AS r
    WHERE
        r.has_ended
        AND NOT r.had_ended
        AND r.status_before IN ('active', 'non_renewing', 'paused')
        AND r.effective_before = 0
    GROUP BY 1, 2
)

SELECT
    coalesce(m.company_key, e.company_key) AS company_key,
    coalesce(m.month, e.month) AS month,
    coalesce(m.start_mrr, b.end_mrr, 0) AS start_mrr,
    coalesce(m.new, 0) AS new,
    coalesce(m.expansion, 0) AS expansion,
    coalesce(m.contraction, 0) AS contraction,
    coalesce(m.churn, 0) AS churn,
    coalesce(m.reactivation, 0) AS reactivation,
    coalesce(m.fx, 0) AS fx,
    coalesce(m.end_mrr, b.end_mrr, 0) AS end_mrr,
    coalesce(e.ended_at_zero, 0) AS ended_at_zero
FROM moved AS m
FULL JOIN ended AS e ON m.company_key = e.company_key AND m.month = e.month
LEFT JOIN LATERAL (
    SELECT d.end_mrr FROM payments.mrr_daily AS d
    WHERE d.company_key = e.company_key AND d.day < e.month
    ORDER BY d.day DESC
    LIMIT 1
) AS b ON m.company_key IS NULL;

-- Grain: one month from the first movement to the last, or to this one. Companies are those that pay something.
CREATE OR REPLACE VIEW payments.v_mrr_total_monthly AS
SELECT
    date_trunc('month', d.day)::date AS month,
    (array_agg(d.start_mrr ORDER BY d.day ASC))[1] AS start_mrr,
    sum(d.new) AS new,
    sum(d.expansion) AS expansion,
    sum(d.contraction) AS contraction,
    sum(d.churn) AS churn,
    sum(d.reactivation) AS reactivation,
    sum(d.fx) AS fx,
    (array_agg(d.end_mrr ORDER BY d.day DESC))[1] AS end_mrr
FROM payments.v_mrr_total_daily AS d
GROUP BY date_trunc('month', d.day);

-- Grain: one customer that is mapped to no company, with what it pays.
CREATE OR REPLACE VIEW payments.v_unmapped_customers AS
SELECT
    c.customer_id,
    count(m.subscription_id) FILTER (WHERE m.counted) AS subscriptions,
    sum(m.effective_mrr) FILTER (WHERE m.counted) AS effective_mrr
FROM payments.chargebee_customer AS c
LEFT JOIN payments.subscription_mrr AS m ON c.customer_id = m.customer_id AND m.valid_to IS NULL
WHERE c.company IS NULL
GROUP BY c.customer_id;

-- Grain: one thing that is amiss with what stands now.
CREATE OR REPLACE VIEW payments.v_problems AS
SELECT
    'subscription' AS object,
    m.subscription_id AS id,
    m.company,
    p.problem
FROM payments.subscription_mrr AS m
CROSS JOIN LATERAL unnest(string_to_array(m.problem, ' ')) AS p (problem)
WHERE m.valid_to IS NULL
UNION ALL
SELECT
    'invoice' AS object,
    i.invoice_id AS id,
    i.company,
    p.problem
FROM payments.chargebee_invoices AS i
CROSS JOIN LATERAL unnest(string_to_array(i.problem, ' ')) AS p (problem)
UNION ALL
SELECT
    'transaction' AS object,
    t.transaction_id AS id,
    t.company,
    p.problem
FROM payments.transaction_payments AS t
CROSS JOIN LATERAL unnest(string_to_array(t.problem, ' ')) AS p (problem)
UNION ALL
SELECT
    'customer' AS object,
    c.customer_id AS id,
    c.company,
    'unmapped' AS problem
FROM payments.chargebee_customer AS c
WHERE c.company IS NULL
UNION ALL
SELECT
    'event' AS object,
    e.event_id AS id,
    NULL AS company,
    e.reason AS problem
FROM inbox.event AS e
WHERE e.source = 'chargebee' AND e.state = 'set_aside';

-- What the flow has dealt with, as it came but for what its archive leaves out: what replay reads where the inbox was
-- pruned. Grain: one event of the inbox.
CREATE OR REPLACE VIEW payments.v_archive AS
SELECT
    'chargebee' AS source,
    e.event_type AS topic,
    ids.event_id,
    e.occurred_at,
    e.received_at,
    e.verified_by,
    jsonb_build_object(
        'id', e.event_id, 'event_type', e.event_type, 'occurred_at', extract(EPOCH FROM e.occurred_at)::bigint,
        'api_version', e.api_version, 'source', e.source, 'content', e.content
    ) AS body
FROM payments.payment_events AS e
CROSS JOIN
    LATERAL (
        SELECT e.event_id
        UNION ALL
        SELECT 'confirmed:' || e.event_id
        WHERE e.confirmed
    ) AS ids (event_id)
UNION ALL
SELECT
    'chargebee' AS source,
    'exchange_rates' AS topic,
    r.event_id,
    r.as_of AS occurred_at,
    r.as_of AS received_at,
    'file' AS verified_by,
    jsonb_build_object(
        'currency', r.currency, 'rate_date', r.rate_date::text, 'usd_per_unit', r.usd_per_unit::text,
        'as_of', r.as_of::text
    ) AS body
FROM payments.exchange_rate AS r
UNION ALL
SELECT
    'chargebee' AS source,
    'free_months' AS topic,
    f.event_id,
    f.as_of AS occurred_at,
    f.as_of AS received_at,
    'file' AS verified_by,
    jsonb_build_object(
        'subscription_id', f.subscription_id, 'free_months', f.free_months::text, 'starts_on', f.starts_on::text,
        'term_months', f.term_months::text, 'as_of', f.as_of::text
    ) AS body
FROM payments.free_months AS f;
