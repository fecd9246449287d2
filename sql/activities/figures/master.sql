-- What the master holds by month: communications without a value that every row must have; of each activity type; and,
-- by activity type, the types, actions, statuses and priorities that no line of the mapping names, with what became of
-- them. Their item is a JSON array: the activity type alone, whose communications are checked, or with a value and its
-- result (null for both: the values beyond the 50 most frequent of a month). An action tells the direction of calls and
-- e-mails, and the activity type of others; statuses and priorities count where something is made of them.
-- Grain: figure, item, month. Parameters: window_start, window_end. Uses ic_communication_master_datetime.
WITH counted AS (
    SELECT
        date_trunc('month', m.comm_datetime)::date AS comm_month,
        m.derived_activity_type AS activity_type,
        word.kind,
        word.written,
        count(*) AS communications,
        count(*) FILTER (
            WHERE num_nulls(m.comm_communicationid, m.comm_type, m.comm_datetime, m.comm_createddate) > 0
        ) AS lacking
    FROM staging.ic_communication_master AS m
    CROSS JOIN
        LATERAL (
            VALUES
            ('types', m.comm_type), ('actions', m.comm_action), ('statuses', m.comm_status),
            ('priorities', m.comm_priority)
        ) AS word (kind, written)
    WHERE
        m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s
        AND (word.kind <> 'statuses' OR m.derived_activity_type IN ('calls', 'emails', 'meetings', 'tasks'))
        AND (word.kind <> 'priorities' OR m.derived_activity_type = 'tasks')
    GROUP BY 1, 2, 3, 4
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
