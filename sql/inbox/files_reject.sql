-- Lines of a file that are no event. A load that another one has replaced meanwhile keeps none.
-- Parameters: file_id; line_numbers, reasons, raw_lines (arrays beside each other).
INSERT INTO inbox.rejected_line (file_id, line_number, reason, raw_line)
SELECT
    f.file_id,
    one.line_number,
    one.reason,
    one.raw_line
FROM
    unnest(%(line_numbers)s::bigint[], %(reasons)s::text[], %(raw_lines)s::text[])
        AS one (line_number, reason, raw_line)
INNER JOIN inbox.event_file AS f ON f.file_id = %(file_id)s
ON CONFLICT (file_id, line_number) DO NOTHING
