-- A load of a file of events begins. Parameters: door, file_name, identity.
INSERT INTO inbox.event_file (door, file_name, identity)
VALUES (%(door)s, %(file_name)s, %(identity)s)
RETURNING file_id
