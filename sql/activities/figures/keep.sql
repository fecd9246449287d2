-- Parameters: source, and arrays side by side: figures, items, months, failing, checked.
INSERT INTO staging.ic_figure (source, figure, item, comm_month, failing, checked)
SELECT
    %(source)s,
    counted.figure,
    counted.item,
    counted.comm_month,
    counted.failing,
    counted.checked
FROM unnest(
    %(figures)s::text[], %(items)s::text[], %(months)s::date[], %(failing)s::bigint[], %(checked)s::bigint[]
) AS counted (figure, item, comm_month, failing, checked)
