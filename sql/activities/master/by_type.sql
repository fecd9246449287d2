-- The rows of an empty master, activity type by activity type, so that each lies together: what makes its derivatives
-- and marks it as processed then reads and writes its own pages only.
-- Grain: one communication. Parameters: those of {incoming} (master/incoming.sql).
SELECT * -- noqa: AM04
FROM ({incoming}) AS s
ORDER BY derived_activity_type
