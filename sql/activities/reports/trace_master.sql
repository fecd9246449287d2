-- One communication as the master shows it, the line of the classification that decided its type (NULL: none) and
-- whether its month is out of date. Parameters: communication, stages (text[]).
SELECT
    m.id,
    m.derived_activity_type AS activity_type,
    m.comm_type,
    m.comm_action,
    known.comm_type AS line_type,
    known.comm_action AS line_action,
    date_trunc('month', m.comm_datetime)::date AS comm_month,
    m.source_drop,
    m.source_line,
    m.person_id,
    m.company_id,
    m.comm_opportunityid,
    m.hubspot_contact_id,
    m.hubspot_company_id,
    m.hubspot_deal_id,
    m.is_orphaned,
    m.staging_status,
    m.error_message,
    (
        SELECT count(*) > 0
        FROM staging.ic_month AS changed
        CROSS JOIN unnest(%(stages)s::text[]) AS stage (name)
        LEFT JOIN staging.ic_month_stage AS done
            ON done.comm_month = changed.comm_month AND done.stage = stage.name
        WHERE
            changed.comm_month = date_trunc('month', m.comm_datetime)
            AND (done.change_number IS NULL OR done.change_number < changed.change_number)
    ) AS is_out_of_date
FROM staging.ic_communication_master AS m
LEFT JOIN LATERAL (
    SELECT
        line.comm_type,
        line.comm_action
    FROM staging.ic_activity_classification AS line
    WHERE
        line.comm_type IN (staging.ic_key(m.comm_type), '*')
        AND line.comm_action IN (staging.ic_key(m.comm_action), '*')
    ORDER BY line.comm_type = '*', line.comm_action = '*'
    LIMIT 1
) AS known ON TRUE
WHERE m.comm_communicationid = %(communication)s
