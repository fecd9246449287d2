-- Files of events with lines that are no event, or whose end was not reached; the newest first. Parameters: most.
SELECT
    door,
    file_name AS file, -- noqa: RF03
    lines,
    rejected,
    loaded_at IS NULL AS is_unfinished,
    started_at
FROM inbox.event_file
WHERE rejected > 0 OR loaded_at IS NULL
ORDER BY file_id DESC
LIMIT %(most)s
