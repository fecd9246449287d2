-- What the local HubSpot needs to know of each contact that the reconciliation names. No parameters.
-- Through to_jsonb, since a reconciliation table that stood before us may lack the columns that are only for people.
SELECT DISTINCT ON (r.hubspot_contact_id)
    r.hubspot_contact_id,
    jsonb_strip_nulls(
        jsonb_build_object(
            'legacy_contact_id', r.legacy_contact_id::text,
            'lastname', to_jsonb(r) ->> 'contact_name',
            'email', lower(to_jsonb(r) ->> 'contact_email')
        )
    ) AS properties
FROM staging.contacts_reconciliation AS r
WHERE r.hubspot_contact_id IS NOT NULL
ORDER BY r.hubspot_contact_id, r.legacy_contact_id
