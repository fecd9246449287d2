-- The rows of all drops by what became of them. Grain: one row. No parameters.
SELECT
    count(*) FILTER (WHERE state = 'landed') AS landed,
    count(*) FILTER (WHERE state = 'refused') AS refused,
    coalesce(sum(rows_in), 0)::bigint AS rows_in,
    coalesce(sum(inserted), 0)::bigint AS inserted,
    coalesce(sum(updated), 0)::bigint AS updated,
    coalesce(sum(unchanged), 0)::bigint AS unchanged,
    coalesce(sum(joined), 0)::bigint AS joined,
    coalesce(sum(taken_out), 0)::bigint AS taken_out,
    coalesce(sum(rejected), 0)::bigint AS rejected
FROM staging.ic_drop
