-- Records that a stage has brought months up to the change numbers that were read before it began.
-- Parameters: stage, months (date[]), change_numbers (bigint[], beside months), reference_time, payload_version (NULL
-- for a stage that makes no payloads).
INSERT INTO staging.ic_month_stage (comm_month, stage, change_number, reference_time, payload_version)
SELECT
    applied.comm_month,
    %(stage)s,
    applied.change_number,
    %(reference_time)s,
    %(payload_version)s::text
FROM unnest(%(months)s::date[], %(change_numbers)s::bigint[]) AS applied (comm_month, change_number)
ON CONFLICT (comm_month, stage) DO UPDATE
    SET
        change_number = excluded.change_number,
        reference_time = excluded.reference_time,
        payload_version = excluded.payload_version,
        applied_at = now()
