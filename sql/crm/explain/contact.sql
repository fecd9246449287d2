-- A contact as it stands. Parameters: contact_id.
SELECT
    c.email,
    c.email_normalised,
    c.company,
    c.phone_number,
    c.first_name,
    c.last_name,
    c.country,
    c.region,
    c.hubspot_contact_id,
    c.created_at
FROM crm.contact_profile_metadata AS c
WHERE c.contact_id = %(contact_id)s
