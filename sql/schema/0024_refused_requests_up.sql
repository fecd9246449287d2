-- Counts of what the receiver refused. Run once by the schema migration 0024; 0024_refused_requests_down.sql takes it
-- back. No parameters.

-- Grain: the requests of one source that were refused in one minute with one status for one reason. source: that of the
-- endpoint, none for a path that is no endpoint. No part of a refused request is kept.
CREATE TABLE inbox.refused_request (
    source text NOT NULL,
    minute timestamptz NOT NULL,
    status integer NOT NULL,
    reason text NOT NULL,
    requests bigint NOT NULL CHECK (requests > 0),
    PRIMARY KEY (source, minute, status, reason)
);
CREATE INDEX refused_request_minute ON inbox.refused_request (minute);
