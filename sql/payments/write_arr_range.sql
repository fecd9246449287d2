-- The range of each company's yearly revenue, where it differs. No parameters.
INSERT INTO crm.company_profile_arr_range AS r (company, arr_usd, arr_range, changed_at)
SELECT
    company,
    arr_usd,
    arr_range,
    changed_at
FROM pg_temp.paying_companies
ORDER BY company
ON CONFLICT (company) DO UPDATE SET
    arr_usd = excluded.arr_usd,
    arr_range = excluded.arr_range,
    changed_at = excluded.changed_at
WHERE (r.arr_usd, r.arr_range, r.changed_at)
IS DISTINCT FROM (excluded.arr_usd, excluded.arr_range, excluded.changed_at)
