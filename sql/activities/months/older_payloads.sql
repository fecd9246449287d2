-- Payloads that were made with another version than the one in force, as they were counted last. Grain: activity type
-- and month. Parameters: types and versions (text[], side by side). Uses the primary keys.
SELECT
    done.stage AS activity_type,
    done.comm_month,
    sum(kept.checked - kept.failing)::bigint AS payloads
FROM unnest(%(types)s::text[], %(versions)s::text[]) AS wanted (activity_type, payload_version)
INNER JOIN staging.ic_month_stage AS done
    ON done.stage = wanted.activity_type AND done.payload_version IS DISTINCT FROM wanted.payload_version
INNER JOIN staging.ic_figure AS kept
    ON kept.source = done.stage AND kept.figure = 'payloads' AND kept.comm_month = done.comm_month
GROUP BY 1, 2
HAVING sum(kept.checked - kept.failing) > 0
ORDER BY 1, 2
