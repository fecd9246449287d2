-- Communications that a drop has more than once. Grain: one communication. Parameters: drop_id.
SELECT comm_communicationid
FROM staging.ic_communication_landing
WHERE drop_id = %(drop_id)s AND fate = 'inserted'
GROUP BY comm_communicationid
HAVING count(*) > 1
