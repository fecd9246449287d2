-- Whether a version of a rule file gives way to the one in force. A company's own goes before the packaged one,
-- whichever was written last; of two of one kind the one that was written later.
-- Parameters: name, digest, modified_at, is_own.
SELECT
    CASE
        WHEN f.is_own <> %(is_own)s THEN f.is_own
        ELSE
            %(modified_at)s < f.modified_at
            OR (
                %(modified_at)s = f.modified_at
                AND EXISTS (
                    SELECT 1
                    FROM staging.ic_rule_file AS earlier
                    WHERE earlier.name = f.name AND earlier.digest = %(digest)s
                )
            )
    END AS is_older
FROM staging.ic_rule_file AS f
WHERE f.name = %(name)s
ORDER BY f.turn DESC
LIMIT 1
