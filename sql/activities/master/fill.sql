-- Fills an empty master. Activity type by activity type, so that each lies together: what makes its derivatives and
-- marks it as processed then reads and writes its own pages only.
-- Grain: one communication. Parameters: those of {incoming} (master/incoming.sql), whose columns are {columns}.
INSERT INTO staging.ic_communication_master ({columns})
SELECT {columns}
FROM ({incoming}) AS s
ORDER BY s.derived_activity_type
