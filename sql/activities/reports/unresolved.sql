-- The unresolved references that matter most. No parameters.
SELECT
    entity_type AS entity,
    legacy_id,
    status,
    sum(communications_affected)::bigint AS communications
FROM staging.reconciliation_log
GROUP BY 1, 2, 3
ORDER BY 4 DESC, 1, 2
LIMIT 20
