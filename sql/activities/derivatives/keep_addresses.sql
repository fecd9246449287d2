-- What one text in place of an address says. Parameters: written, addresses, is_all, is_text, reader.
INSERT INTO staging.ic_address_text (written, addresses, is_all, is_text, read_by)
VALUES (%(written)s, %(addresses)s, %(is_all)s, %(is_text)s, %(reader)s)
ON CONFLICT (written) DO UPDATE SET
    addresses = excluded.addresses,
    is_all = excluded.is_all,
    is_text = excluded.is_text,
    read_by = excluded.read_by
