-- Types that the classification does not know, the most frequent first, with one communication to look at; kinds: how
-- many there are in all, and communications_in_all what they hold together. One pass over the master.
-- Grain: one type, trimmed and in lower case. Parameters: row_limit.
WITH written AS (
    SELECT
        comm_type,
        count(*) AS communications,
        min(comm_communicationid) AS first_communication
    FROM staging.ic_communication_master
    GROUP BY comm_type
)

SELECT
    staging.ic_norm(written.comm_type) AS comm_type,
    sum(written.communications)::bigint AS communications,
    min(written.first_communication) AS first_communication,
    count(*) OVER () AS kinds,
    (sum(sum(written.communications)) OVER ())::bigint AS communications_in_all
FROM written
LEFT JOIN staging.ic_activity_classification AS known ON known.comm_type = staging.ic_norm(written.comm_type)
WHERE known.comm_type IS NULL
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT %(row_limit)s
