-- The lines of a file in force. Parameters: file.
SELECT
    l.key,
    l.value
FROM payments.rule_line AS l
WHERE l.file = %(file)s
ORDER BY l.place
