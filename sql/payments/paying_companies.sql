-- What the companies of a batch are to be in crm. No parameters.
CREATE TEMPORARY TABLE paying_companies (
    company text PRIMARY KEY,
    cause text NOT NULL,
    current_mrr numeric,
    effective_mrr numeric,
    sales_effective_mrr numeric,
    collections_usd numeric,
    payment_status text,
    paying_since timestamptz,
    plan_id text,
    arr_usd numeric,
    arr_range text,
    changed_at timestamptz
) ON COMMIT DROP
