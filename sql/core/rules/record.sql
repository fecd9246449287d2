-- Records that a version of a rule file is in force from now on. Parameters: name, digest, modified_at.
INSERT INTO staging.ic_rule_file (name, digest, modified_at)
VALUES (%(name)s, %(digest)s, %(modified_at)s)
ON CONFLICT (name, digest) DO UPDATE
    SET modified_at = excluded.modified_at, applied_at = clock_timestamp(), turn = DEFAULT
