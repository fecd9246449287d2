-- Makes the rows of companies that are not known yet, in the order in which they are locked. {desired}: a relation with
-- the column company. No parameters.
INSERT INTO crm.company_profile_meta_data (company)
SELECT wanted.company
FROM (SELECT DISTINCT d.company FROM {desired} AS d) AS wanted
LEFT JOIN crm.company_profile_meta_data AS p ON wanted.company = p.company
WHERE p.company IS NULL
ORDER BY wanted.company COLLATE "C"
ON CONFLICT (company) DO NOTHING
