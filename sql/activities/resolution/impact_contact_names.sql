-- What the CRM called these persons and where it wrote to them, where the reconciliation table does not say: the values
-- of the newest communication that has any. One pass over the master. Grain: one legacy id.
-- Parameters: legacy_ids (bigint[]).
SELECT DISTINCT ON (named.person_id)
    named.person_id,
    nullif(concat_ws(' ', nullif(btrim(named.person_firstname), ''), nullif(btrim(named.person_lastname), '')), '')
        AS person_name,
    nullif(btrim(named.person_emailaddress), '') AS person_email
FROM (
    SELECT
        comm_communicationid,
        person_id,
        person_firstname,
        person_lastname,
        person_emailaddress
    FROM staging.ic_communication_master
    UNION ALL
    SELECT
        comm_communicationid,
        person_id,
        person_firstname,
        person_lastname,
        person_emailaddress
    FROM staging.ic_communication_party
) AS named
WHERE
    named.person_id = any(%(legacy_ids)s::bigint[])
    AND coalesce(named.person_emailaddress, named.person_lastname, named.person_firstname) IS NOT NULL
ORDER BY named.person_id ASC, (named.person_emailaddress IS NOT NULL) DESC, named.comm_communicationid DESC
