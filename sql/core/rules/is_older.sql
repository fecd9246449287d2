-- Whether a version of a rule file is older than the one in force. Parameters: name, digest, modified_at.
SELECT
    %(modified_at)s < f.modified_at
    OR (
        %(modified_at)s = f.modified_at
        AND EXISTS (
            SELECT 1
            FROM staging.ic_rule_file AS earlier
            WHERE earlier.name = f.name AND earlier.digest = %(digest)s
        )
    ) AS is_older
FROM staging.ic_rule_file AS f
WHERE f.name = %(name)s
ORDER BY f.turn DESC
LIMIT 1
