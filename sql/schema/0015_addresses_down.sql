DROP TABLE IF EXISTS staging.ic_address_text;
