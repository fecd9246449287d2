-- Takes back 0027_payments_up.sql. No parameters.
DROP SCHEMA payments CASCADE;
