-- Parameters: table, name.
SELECT 1 AS one FROM pg_constraint
WHERE conrelid = ('staging.' || quote_ident(%(table)s))::regclass AND conname = %(name)s
