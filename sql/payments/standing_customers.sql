-- The customers as they stand, and those that share with them a company that one of them has, had or is to have; mark
-- changes whenever the row is written. Parameters: customers, companies (that they are to have).
WITH companies AS (
    SELECT unnest(%(companies)s::text[]) AS company
    UNION
    SELECT o.company FROM payments.chargebee_customer AS o
    WHERE o.customer_id = any(%(customers)s)
)

SELECT
    c.customer_id,
    c.company,
    c.xmin::text AS mark
FROM payments.chargebee_customer AS c
WHERE c.customer_id = any(%(customers)s)
UNION
SELECT
    c.customer_id,
    c.company,
    c.xmin::text AS mark
FROM companies
INNER JOIN payments.chargebee_customer AS c ON companies.company = c.company
