-- Bodies of which HubSpot does not show all as the source did. Reads the temporary table ic_rendered_body.
-- No parameters.
INSERT INTO staging.ic_field_warning (
    drop_key, line_number, comm_communicationid, column_name, raw_value, reason
)
SELECT
    m.source_drop,
    m.source_line,
    m.comm_communicationid,
    CASE WHEN m.comm_note IS NULL AND m.derived_activity_type = 'emails' THEN 'comm_email_clean' ELSE 'comm_note' END
        AS column_name,
    b.left_out AS raw_value,
    b.warning AS reason
FROM ic_rendered_body AS b
INNER JOIN staging.ic_communication_master AS m ON m.id = b.ic_communication_master_id
WHERE b.warning IS NOT NULL
ON CONFLICT (drop_key, line_number, column_name, reason) DO UPDATE SET raw_value = excluded.raw_value
