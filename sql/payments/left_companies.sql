-- Companies in crm that no customer is mapped to any more. Parameters: companies, cause.
INSERT INTO pg_temp.paying_companies (
    company, cause, current_mrr, effective_mrr, sales_effective_mrr, collections_usd, arr_usd
)
SELECT
    p.company,
    %(cause)s,
    0,
    0,
    0,
    0,
    0
FROM crm.company_profile_meta_data AS p
WHERE p.company = any(%(companies)s)
