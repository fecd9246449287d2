-- Takes 0024_refused_requests_up.sql back. No parameters.

DROP TABLE inbox.refused_request;
