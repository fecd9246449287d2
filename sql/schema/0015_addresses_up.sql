-- What stood where an e-mail address was asked for and is not plainly one, as it was read. written: MD5 of the text,
-- which is in the master; addresses: the valid ones, joined by '; '.
CREATE TABLE staging.ic_address_text (
    written uuid PRIMARY KEY,
    addresses text,
    is_all boolean NOT NULL,
    is_text boolean NOT NULL,
    read_by text NOT NULL
);
