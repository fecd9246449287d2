-- Which column stands where in a drop. Run once by the schema migration 0020; 0020_drop_columns_down.sql takes it back.
-- No parameters.

-- columns: headers by position, empty for a column that means nothing to us. NULL for drops that landed before.
ALTER TABLE staging.ic_drop ADD COLUMN columns text[];
