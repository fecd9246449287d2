-- E-mails whose address is, wholly or in part, none; not those whose text became the body. What is plainly an address
-- was never read, and is not known.
-- Parameters: window_start, window_end.
INSERT INTO staging.ic_field_warning (
    drop_key, line_number, comm_communicationid, column_name, raw_value, reason
)
SELECT
    m.source_drop,
    m.source_line,
    m.comm_communicationid,
    'comm_email_clean' AS column_name,
    m.comm_email_clean AS raw_value,
    'not_an_address' AS reason
FROM staging.ic_communication_master AS m
INNER JOIN staging.ic_address_text AS known ON known.written = md5(m.comm_email_clean)::uuid
WHERE
    m.derived_activity_type = 'emails'
    AND m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
    AND NOT known.is_all
    AND NOT (known.is_text AND m.comm_note IS NULL)
ON CONFLICT DO NOTHING
