-- The bodies of a slice that SQL cannot render: text that may be HTML, or may be over HubSpot's length limit.
-- Parameters: those of {slice}, a condition on v; {view}, {body}, {title}; {needs_python} over the body.
SELECT
    v.ic_communication_master_id,
    v.{body} AS body,
    {title} AS title
FROM staging.{view} AS v
WHERE {slice} AND {needs_python}
