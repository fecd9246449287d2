-- The communications that a drop wrote or deleted, what stood of each before it, and which earlier drop had deleted it.
-- A row that the drop inserted beside an older version brought back what was deleted. Grain: one communication.
-- Parameters: drop_id, drop_key.
WITH touched AS (
    SELECT
        l.comm_communicationid,
        max(l.fate) AS fate
    FROM staging.ic_communication_landing AS l
    WHERE l.drop_id = %(drop_id)s AND l.fate IN ('inserted', 'updated')
    GROUP BY l.comm_communicationid
    UNION ALL
    SELECT DISTINCT
        r.comm_communicationid,
        NULL AS fate
    FROM staging.ic_rejected_row AS r
    WHERE
        r.drop_key = %(drop_key)s
        AND r.reason = 'deleted_in_source'
        AND NOT EXISTS (
            SELECT 1 FROM staging.ic_communication_landing AS l
            WHERE
                l.drop_id = %(drop_id)s
                AND l.comm_communicationid = r.comm_communicationid
                AND l.fate IN ('inserted', 'updated')
        )
)

SELECT
    touched.comm_communicationid,
    before.drop_id,
    before.line_number,
    date_trunc('month', before.comm_datetime)::date AS comm_month,
    deleted.drop_key AS deleted_by,
    deleted.line_number AS deleted_line
FROM touched
LEFT JOIN LATERAL (
    SELECT
        l.drop_id,
        l.line_number,
        l.comm_datetime
    FROM staging.ic_communication_landing AS l
    WHERE
        l.comm_communicationid = touched.comm_communicationid
        AND l.drop_id < %(drop_id)s
        AND l.fate IN ('inserted', 'updated')
    ORDER BY l.drop_id DESC, l.line_number DESC
    LIMIT 1
) AS before ON TRUE
LEFT JOIN LATERAL (
    SELECT
        d.drop_key,
        r.line_number
    FROM staging.ic_rejected_row AS r
    INNER JOIN staging.ic_drop AS d ON d.drop_key = r.drop_key
    WHERE
        touched.fate IS DISTINCT FROM 'updated'
        AND r.comm_communicationid = touched.comm_communicationid
        AND r.reason = 'deleted_in_source'
        AND d.drop_id < %(drop_id)s
        AND d.drop_id > coalesce(before.drop_id, 0)
    ORDER BY d.drop_id DESC, r.line_number DESC
    LIMIT 1
) AS deleted ON TRUE
