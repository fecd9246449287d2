-- Takes back 0019_mapping_up.sql.
ALTER TABLE staging.ic_rule_file DROP COLUMN is_own;
DROP TABLE staging.ic_priority_rule;
DROP TABLE staging.ic_status_rule;
DROP TABLE staging.ic_direction_rule;
DELETE FROM staging.ic_activity_classification
WHERE comm_action <> '*' OR comm_type = '*';
ALTER TABLE staging.ic_activity_classification
DROP CONSTRAINT ic_activity_classification_pkey,
DROP COLUMN comm_action,
ADD PRIMARY KEY (comm_type);
