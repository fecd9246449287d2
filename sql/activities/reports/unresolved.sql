-- The unresolved references that matter most. No parameters.
SELECT
    entity_type AS entity,
    legacy_id::text AS legacy_id,
    status,
    sum(communications_affected)::bigint AS communications
FROM staging.reconciliation_log
GROUP BY entity_type, reconciliation_log.legacy_id, status
ORDER BY communications DESC, entity, legacy_id
LIMIT 20
