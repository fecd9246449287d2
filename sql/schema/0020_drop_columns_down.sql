-- Takes 0020_drop_columns_up.sql back. No parameters.
ALTER TABLE staging.ic_drop DROP COLUMN columns;
