-- Records that a stage has brought months up to the change numbers that were read before it began.
-- Parameters: stage, months (date[]), change_numbers (bigint[], beside months), reference_time.
INSERT INTO staging.ic_month_stage (comm_month, stage, change_number, reference_time)
SELECT
    applied.comm_month,
    %(stage)s,
    applied.change_number,
    %(reference_time)s
FROM unnest(%(months)s::date[], %(change_numbers)s::bigint[]) AS applied (comm_month, change_number)
ON CONFLICT (comm_month, stage) DO UPDATE
    SET
        change_number = excluded.change_number,
        reference_time = excluded.reference_time,
        applied_at = now()
