-- Takes back 0007_starting_up.sql.
DROP TABLE staging.ic_attempt;
DROP TABLE staging.ic_drop_file;
DROP TABLE staging.ic_rule_file;
