-- What stands in place of an address in the e-mails of a slice, is not plainly one, and was not read by this reader.
-- Grain: one text. Parameters: those of {slice}, a condition on v; reader.
SELECT DISTINCT
    md5(v.comm_email_clean)::uuid AS written,
    v.comm_email_clean
FROM (
    SELECT
        id AS ic_communication_master_id,
        comm_datetime AS activity_date,
        comm_email_clean
    FROM staging.ic_communication_master
    WHERE derived_activity_type = 'emails' AND NOT staging.ic_is_address(comm_email_clean)
) AS v
WHERE
    {slice}
    AND NOT EXISTS (
        SELECT 1 FROM staging.ic_address_text AS known
        WHERE known.written = md5(v.comm_email_clean)::uuid AND known.read_by = %(reader)s
    )
