-- What the master holds by month: communications without a value that every row must have; of each activity type; and,
-- by activity type, the types, actions, statuses and priorities that no line of the mapping names, with what became of
-- them. Their item is a JSON array: the activity type alone, whose communications are checked, or with a value and its
-- result (null for both: the values beyond the 50 most frequent of a month). An action tells the direction of calls and
-- e-mails, and the activity type of others; statuses and priorities count where something is made of them.
-- Grain: figure, item, month. Parameters: window_start, window_end. Uses ic_communication_master_datetime.
WITH counted AS (
    -- Each word is counted by itself, in one pass: together they make as many groups as there are communications.
    SELECT
        m.comm_month,
        m.activity_type,
        CASE
            WHEN grouping(m.comm_type) = 0 THEN 'types'
            WHEN grouping(m.comm_action) = 0 THEN 'actions'
            WHEN grouping(m.comm_status) = 0 THEN 'statuses'
            ELSE 'priorities'
        END AS kind,
        coalesce(m.comm_type, m.comm_action, m.comm_status, m.comm_priority) AS written,
        count(*) AS communications,
        count(*) FILTER (WHERE m.is_lacking) AS lacking
    FROM (
        SELECT
            date_trunc('month', comm_datetime)::date AS comm_month,
            derived_activity_type AS activity_type,
            comm_type,
            comm_action,
            comm_status,
            comm_priority,
            num_nulls(comm_communicationid, comm_type, comm_datetime, comm_createddate) > 0 AS is_lacking
        FROM staging.ic_communication_master
        WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s
        -- Else the month is worked out for each word.
        OFFSET 0 -- noqa: AM09
    ) AS m
    GROUP BY
        GROUPING SETS (
            (m.comm_month, m.activity_type, m.comm_type),
            (m.comm_month, m.activity_type, m.comm_action),
            (m.comm_month, m.activity_type, m.comm_status),
            (m.comm_month, m.activity_type, m.comm_priority)
        )
    HAVING
        (grouping(m.comm_status) = 1 OR m.activity_type IN ('calls', 'emails', 'meetings', 'tasks'))
        AND (grouping(m.comm_priority) = 1 OR m.activity_type = 'tasks')
),

named AS (
    SELECT
        'types' AS kind,
        NULL AS activity_type,
        comm_type AS word
    FROM staging.ic_activity_classification
    UNION
    SELECT
        'actions',
        of.activity_type,
        line.comm_action
    FROM staging.ic_activity_classification AS line
    CROSS JOIN (VALUES ('meetings'), ('notes'), ('tasks'), ('communications'), ('postal_mail')) AS of (activity_type)
    UNION
    SELECT
        'actions',
        NULL,
        comm_action
    FROM staging.ic_direction_rule
    UNION
    SELECT
        'statuses',
        activity_type,
        comm_status
    FROM staging.ic_status_rule
    UNION
    SELECT
        'priorities',
        NULL,
        comm_priority
    FROM staging.ic_priority_rule
),

unnamed AS (
    SELECT
        counted.comm_month,
        counted.kind,
        counted.activity_type,
        left(staging.ic_key(counted.written), 100) AS word,
        sum(counted.communications)::bigint AS communications,
        row_number() OVER (
            PARTITION BY counted.comm_month, counted.kind, counted.activity_type
            ORDER BY sum(counted.communications) DESC, left(staging.ic_key(counted.written), 100) ASC
        ) AS place
    FROM counted
    WHERE
        NOT EXISTS (
            SELECT 1 FROM named
            WHERE
                named.kind = counted.kind
                AND named.word = staging.ic_key(counted.written)
                AND named.word <> '*'
                AND coalesce(named.activity_type, counted.activity_type) = counted.activity_type
        )
        AND (
            counted.kind <> 'actions'
            OR counted.activity_type IN ('calls', 'emails')
            OR staging.ic_key(counted.written) <> '(blank)'
        )
    GROUP BY 1, 2, 3, 4
)

SELECT
    'required_fields_present' AS figure,
    '' AS item,
    comm_month,
    sum(lacking)::bigint AS failing,
    sum(communications)::bigint AS checked
FROM counted
WHERE kind = 'types'
GROUP BY comm_month
UNION ALL
SELECT
    'types' AS figure,
    activity_type AS item,
    comm_month,
    sum(communications)::bigint AS failing,
    sum(communications)::bigint AS checked
FROM counted
WHERE kind = 'types'
GROUP BY activity_type, comm_month
UNION ALL
SELECT
    'unrecognised_' || kind AS figure,
    jsonb_build_array(activity_type)::text AS item,
    comm_month,
    0::bigint AS failing,
    sum(communications)::bigint AS checked
FROM counted
GROUP BY kind, activity_type, comm_month
UNION ALL
SELECT
    'unrecognised_' || u.kind AS figure,
    jsonb_build_array(
        u.activity_type,
        CASE WHEN u.place <= 50 THEN u.word END,
        CASE
            WHEN u.place > 50 THEN NULL
            WHEN u.kind IN ('statuses', 'priorities') THEN coalesce(status.result, priority.result, '')
            ELSE coalesce(direction.direction, u.activity_type)
        END
    )::text AS item,
    u.comm_month,
    sum(u.communications)::bigint AS failing,
    0::bigint AS checked
FROM unnamed AS u
LEFT JOIN staging.ic_direction_rule AS direction
    ON direction.comm_action = '*' AND u.kind = 'actions' AND u.activity_type IN ('calls', 'emails')
LEFT JOIN staging.ic_status_rule AS status
    ON status.comm_status = '*' AND u.kind = 'statuses' AND status.activity_type = u.activity_type
LEFT JOIN staging.ic_priority_rule AS priority
    ON priority.comm_priority = '*' AND u.kind = 'priorities'
GROUP BY 1, 2, 3
