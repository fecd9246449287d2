-- Of several rows of one drop with the same id the newest by comm_updateddate is kept, a missing date counting as
-- the oldest, and of equals the one further down. Those of one communication with several people are no versions of it.
-- Grain: rows of one drop. Parameters: drop_id. Reads the temporary tables ic_repeated (landing/repeated.sql) and
-- ic_several (landing/repeated_people.sql).
UPDATE staging.ic_communication_landing AS l
SET fate = 'superseded_in_drop', is_current = FALSE
FROM (
    SELECT
        line_number,
        row_number() OVER (
            PARTITION BY comm_communicationid
            ORDER BY comm_updateddate DESC NULLS LAST, line_number DESC
        ) AS place
    FROM staging.ic_communication_landing
    WHERE
        drop_id = %(drop_id)s
        AND fate = 'inserted'
        AND comm_communicationid IN (SELECT again.comm_communicationid FROM ic_repeated AS again)
        AND comm_communicationid NOT IN (SELECT several.comm_communicationid FROM ic_several AS several)
) AS ranked
WHERE l.drop_id = %(drop_id)s AND l.line_number = ranked.line_number AND ranked.place > 1
