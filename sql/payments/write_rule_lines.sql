-- The lines of one file, whose earlier ones are gone. Parameters: file, keys, values.
INSERT INTO payments.rule_line (file, place, key, value)
SELECT
    %(file)s,
    g.place,
    g.key,
    g.value
FROM unnest(%(keys)s::text[], %(values)s::text[]) WITH ORDINALITY AS g (key, value, place)
