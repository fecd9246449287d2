-- Takes rows of one table away. Parameters: values.
DELETE FROM {table} WHERE {column} = ANY(%(values)s)
