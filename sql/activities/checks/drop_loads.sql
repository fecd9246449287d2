-- Drops of which no row was loaded, or more than half were rejected for one reason, newer versions of them apart; and
-- not those that were put right since: the same file, or the same content, that landed later.
-- Parameters: drop_keys (text[], NULL for all).
SELECT
    count(*) FILTER (WHERE d.trouble IS NOT NULL) AS failing,
    count(*) AS checked,
    jsonb_agg(jsonb_build_object('drop', d.drop_key) || d.trouble ORDER BY d.drop_id DESC)
    FILTER (WHERE d.trouble IS NOT NULL) AS sample
FROM staging.ic_drop AS d
WHERE
    d.state = 'landed'
    AND (%(drop_keys)s::text[] IS NULL OR d.drop_key = any(%(drop_keys)s::text[]))
    AND NOT EXISTS (
        SELECT 1 FROM staging.ic_drop AS later
        WHERE
            later.drop_id > d.drop_id
            AND later.state = 'landed'
            AND later.trouble IS NULL
            AND (later.content_sha256 = d.content_sha256 OR later.file_name = d.file_name)
    )
