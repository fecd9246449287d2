-- Removes counts of refused requests that nobody asks for any more. No parameters.
DELETE FROM inbox.refused_request WHERE minute < now() - INTERVAL '90 days'
