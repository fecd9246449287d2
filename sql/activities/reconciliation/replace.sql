-- What the file says of its ids replaces what stood; of equal lines the last one. No parameters; reads incoming_match.
INSERT INTO staging.{table} AS known ({legacy_id}, {hubspot_id}{extra_columns})
SELECT DISTINCT ON (legacy_id)
    legacy_id,
    hubspot_id{extra_values}
FROM incoming_match
ORDER BY legacy_id ASC, line DESC
ON CONFLICT ({legacy_id}) DO UPDATE
    SET {hubspot_id} = excluded.{hubspot_id}{extra_assignments}{touched}
