-- Records that a version of a rule file is in force from now on. Parameters: name, digest, modified_at, is_own.
INSERT INTO staging.ic_rule_file (name, digest, modified_at, is_own)
VALUES (%(name)s, %(digest)s, %(modified_at)s, %(is_own)s)
ON CONFLICT (name, digest) DO UPDATE
    SET
        modified_at = excluded.modified_at,
        is_own = excluded.is_own,
        applied_at = clock_timestamp(),
        turn = DEFAULT
