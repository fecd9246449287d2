-- How far a load of a file of events is; at its end (digest) it stands instead of earlier loads of that name.
-- Parameters: file_id, digest (NULL: not at the end), lines, stored, duplicates, differing, set_aside, rejected.
WITH mine AS (
    UPDATE inbox.event_file
    SET
        lines = %(lines)s,
        stored = %(stored)s,
        duplicates = %(duplicates)s,
        differing = %(differing)s,
        set_aside = %(set_aside)s,
        rejected = %(rejected)s,
        digest = %(digest)s,
        loaded_at = CASE WHEN %(digest)s::text IS NOT NULL THEN now() END
    WHERE file_id = %(file_id)s
    RETURNING file_id, door, file_name, loaded_at
)

DELETE FROM inbox.event_file AS earlier
USING mine
WHERE
    mine.loaded_at IS NOT NULL
    AND earlier.door = mine.door
    AND earlier.file_name = mine.file_name
    AND earlier.file_id < mine.file_id
