-- Payloads of an activity type that were made with another version than the one in force, and all of them, as they were
-- counted last. Grain: one row. Parameters: activity_type, payload_version.
SELECT
    coalesce(
        sum(kept.checked - kept.failing)
        FILTER (WHERE done.payload_version IS DISTINCT FROM %(payload_version)s::text),
        0
    )::bigint AS failing,
    coalesce(sum(kept.checked - kept.failing), 0)::bigint AS checked,
    NULL::jsonb AS sample
FROM staging.ic_month_stage AS done
INNER JOIN staging.ic_figure AS kept
    ON kept.source = done.stage AND kept.figure = 'payloads' AND kept.comm_month = done.comm_month
WHERE done.stage = %(activity_type)s
