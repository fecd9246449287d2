-- What waits of these companies, read after their rows in crm were locked. Parameters: companies.
SELECT
    w.company,
    w.version,
    w.causes
FROM {waiting} AS w
WHERE w.company = any(%(companies)s)
ORDER BY w.company COLLATE "C" -- noqa: RF03
