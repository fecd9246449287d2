-- The unresolved references that matter most. No parameters.
SELECT
    missed.entity_type AS entity,
    missed.legacy_id::text AS legacy_id,
    missed.status,
    sum(missed.communications_affected)::bigint AS communications
FROM staging.reconciliation_log AS missed
GROUP BY missed.entity_type, missed.legacy_id, missed.status
ORDER BY communications DESC, entity ASC, legacy_id ASC
LIMIT 20
