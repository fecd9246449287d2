-- Adds to the counts of requests that the receiver refused, by minute. Parameters: arrays beside each other.
INSERT INTO inbox.refused_request AS r (source, minute, status, reason, requests)
SELECT
    given.source,
    date_trunc('minute', now()),
    given.status,
    given.reason,
    given.requests
FROM
    unnest(
        %(source)s::text[],
        %(status)s::int[],
        %(reason)s::text[],
        %(requests)s::bigint[]
    ) AS given (source, status, reason, requests)
ON CONFLICT (source, minute, status, reason) DO UPDATE SET requests = r.requests + excluded.requests
