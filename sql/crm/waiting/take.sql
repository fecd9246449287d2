-- The next companies that wait, with their rows in crm locked. Not the rows of {waiting}: who wakes a company holds its
-- row in crm, and would wait for us there while we wait for him here. Parameters: most.
SELECT p.company
FROM {waiting} AS w
INNER JOIN crm.company_profile_meta_data AS p ON w.company = p.company
ORDER BY p.company COLLATE "C"
LIMIT %(most)s
FOR NO KEY UPDATE OF p SKIP LOCKED
