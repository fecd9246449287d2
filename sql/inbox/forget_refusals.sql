-- Removes counts of refused requests that nobody asks for any more. Parameters: kept (interval).
DELETE FROM inbox.refused_request
WHERE minute < now() - %(kept)s::interval
