-- Takes rows of one table away. Parameters: values.
DELETE FROM {table} AS t
WHERE t.{column} = any(%(values)s)
