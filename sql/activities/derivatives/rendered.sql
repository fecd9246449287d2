-- The rows that a derivative table should hold: what its view gives, with the payload of each.
-- Grain: one communication of the type. Parameters: those of {slice}, a condition on v, and of {payload} and {error};
-- {view}; {as_type} is what the payload's text is cast to.
SELECT
    r.*, -- noqa: AM04
    CASE WHEN r.payload_error IS NULL THEN r.rendered END AS payload,
    CASE
        WHEN r.payload_error IS NOT NULL THEN 'failed'
        WHEN
            num_nonnulls(
                r.associated_contact_id,
                r.associated_company_id,
                r.associated_deal_id,
                r.further_contact_ids,
                r.further_company_ids
            ) = 0
            THEN 'held'
        ELSE 'pending'
    END AS push_status
FROM (
    SELECT
        v.*,
        ({payload})::{as_type} AS rendered,
        {error} AS payload_error
    -- A level of its own as well: flattened, each of the view's columns would be worked out wherever it is named.
    FROM (
        SELECT
            v.*,
            people.contact_ids AS further_contact_ids,
            people.company_ids AS further_company_ids
        FROM staging.{view} AS v
        LEFT JOIN staging.v_ic_communication_people AS people
            ON people.ic_communication_master_id = v.ic_communication_master_id
        WHERE {slice}
        OFFSET 0 -- noqa: AM09
    ) AS v
    LEFT JOIN ic_rendered_body AS b
        ON b.ic_communication_master_id = v.ic_communication_master_id AND b.part = 1
    -- Keeps the planner from flattening this level, which would render each payload up to four times.
    OFFSET 0 -- noqa: AM09
) AS r
