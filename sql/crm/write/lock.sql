-- Locks the rows of companies, in C order as everybody does, and says whose the writes are that follow: a consumer's
-- own wake nothing, and the change log after log_from has the causes of the others. {desired}: a relation with the
-- column company. Parameters: writer.
SELECT
    count(*),
    set_config('ic_assets.writer', %(writer)s, TRUE),
    set_config(
        'ic_assets.log_from',
        (SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END::text FROM crm.company_change_log_id_seq AS s),
        TRUE
    )
FROM (
    SELECT p.company
    FROM crm.company_profile_meta_data AS p
    WHERE p.company IN (SELECT d.company FROM {desired} AS d)
    ORDER BY p.company COLLATE "C" -- noqa: RF03
    FOR NO KEY UPDATE
) AS locked
