-- Companies that pay less than half of their list price, and subscriptions whose coupons exceed it. Parameters: now.
SELECT
    c.company AS subject,
    'its discounts are ' || round(100 * c.discount_share) || ' %% of the price' AS wrong
FROM payments.company_current_discount AS c
WHERE c.discount_share > 0.5 OR %(now)s IS NULL
UNION ALL
SELECT
    m.subscription_id AS subject,
    'a coupon is larger than the price' AS wrong
FROM payments.subscription_mrr AS m
WHERE m.valid_to IS NULL AND m.problem ~ 'coupon_above_price'
ORDER BY subject
