-- Parameters: drop_id, the counts of the identity, first_date, last_date, months (date[]), trouble (jsonb).
UPDATE staging.ic_drop
SET
    rows_in = %(rows_in)s,
    inserted = %(inserted)s,
    updated = %(updated)s,
    unchanged = %(unchanged)s,
    joined = %(joined)s,
    taken_out = %(taken_out)s,
    rejected = %(rejected)s,
    first_date = %(first_date)s,
    last_date = %(last_date)s,
    months = %(months)s::date[],
    trouble = %(trouble)s::jsonb,
    landed_at = now()
WHERE drop_id = %(drop_id)s
