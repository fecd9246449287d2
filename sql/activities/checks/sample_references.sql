-- The unresolved references of one kind that most communications carry. Parameters: entity_type.
SELECT
    legacy_id,
    sum(communications_affected)::bigint AS communications
FROM staging.reconciliation_log
WHERE entity_type = %(entity_type)s
GROUP BY legacy_id
ORDER BY 2 DESC, 1
LIMIT 10
