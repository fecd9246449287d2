-- The legacy ids of one kind that lead nowhere, those with the most communications first, and how many of them the gate
-- wants. Reads the log of misses (one row per id and month), never the master.
-- Grain: one legacy id. Parameters: entity_type (contact, company, deal), checked (references of the kind), allowed
-- (share of misses from which on the gate is red), row_limit (NULL for all); {table}, {legacy_id}, {hubspot_id} and
-- {label}.
WITH miss AS (
    SELECT
        log.legacy_id,
        sum(log.communications_affected)::bigint AS communications
    FROM staging.reconciliation_log AS log
    WHERE
        log.entity_type = %(entity_type)s
        AND log.month IN (
            SELECT ready.comm_month FROM staging.v_ic_month_ready AS ready
            WHERE ready.stage = 'resolved'
        )
    GROUP BY log.legacy_id
),

ranked AS (
    SELECT
        legacy_id,
        communications,
        (sum(communications) OVER by_weight)::bigint AS cumulative,
        (sum(communications) OVER ())::bigint AS missing,
        row_number() OVER by_weight AS place
    FROM miss
    WINDOW by_weight AS (ORDER BY communications DESC, legacy_id ASC)
),

weighed AS (
    SELECT
        *,
        count(*) OVER () AS ids,
        -- Those before which the gate is still red.
        count(*) FILTER (
            WHERE (missing - cumulative + communications)::float8 / nullif(%(checked)s, 0) >= %(allowed)s
        ) OVER () AS needed,
        max(cumulative) FILTER (
            WHERE (missing - cumulative + communications)::float8 / nullif(%(checked)s, 0) >= %(allowed)s
        ) OVER () AS needed_communications
    FROM ranked
)

SELECT
    w.legacy_id,
    w.communications,
    w.cumulative,
    w.missing,
    w.ids,
    w.needed,
    coalesce(w.needed_communications, 0) AS needed_communications,
    known.{legacy_id} IS NOT NULL AS is_known,
    known.{hubspot_id} AS hubspot_id,
    {label} AS label
FROM weighed AS w
LEFT JOIN staging.{table} AS known ON known.{legacy_id} = w.legacy_id
WHERE %(row_limit)s::bigint IS NULL OR w.place <= %(row_limit)s::bigint
ORDER BY w.place
