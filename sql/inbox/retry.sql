-- Lets events that were set aside, or that nobody knew, be taken again, and the other contents of their ids with them.
-- Parameters: source, reason, id (NULL: any); known: what flows take, a regular expression on source and topic;
-- unreadable: ids of those whose envelope cannot be read.
WITH tried AS (
    UPDATE inbox.event AS e
    SET state = CASE WHEN e.source || ' ' || e.topic ~ %(known)s THEN 'new' ELSE 'unknown_topic' END, reason = NULL
    WHERE
        e.state IN ('set_aside', 'unknown_topic')
        AND e.topic IS NOT NULL
        AND (e.state = 'set_aside' OR e.source || ' ' || e.topic ~ %(known)s)
        AND NOT e.id = any(%(unreadable)s)
        AND (%(source)s::text IS NULL OR e.source = %(source)s)
        AND (%(reason)s::text IS NULL OR e.reason = %(reason)s OR starts_with(e.reason, %(reason)s || ':'))
        AND (%(id)s::bigint IS NULL OR e.id = %(id)s)
    RETURNING e.id
),

others AS (
    UPDATE inbox.duplicate AS d SET state = 'new', reason = NULL
    FROM tried
    WHERE d.event = tried.id AND d.state = 'set_aside'
)

SELECT count(*) FROM tried
