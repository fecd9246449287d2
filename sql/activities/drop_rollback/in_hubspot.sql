-- Records that stand in HubSpot of the communications of which nothing stands here any more, and that no push removes
-- by itself. Reads the temporary table ic_taken_back (touched.sql). No parameters.
SELECT DISTINCT
    l.portal_id,
    t.comm_communicationid
FROM hubspot.push_ledger AS l
INNER JOIN ic_taken_back AS t ON t.comm_communicationid::text = l.record_key
LEFT JOIN staging.ic_communication_master AS m ON m.comm_communicationid = t.comm_communicationid
WHERE l.hubspot_id IS NOT NULL AND l.state <> 'removed' AND m.id IS NULL AND t.deleted_by IS NULL AND t.drop_id IS NULL
ORDER BY l.portal_id ASC, t.comm_communicationid ASC
