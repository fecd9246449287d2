-- The events of a batch before they are archived. No parameters.
CREATE TEMPORARY TABLE new_events (
    LIKE payments.payment_events INCLUDING DEFAULTS
) ON COMMIT DROP
