-- Takes back 0003_approval_up.sql.
DROP TABLE hubspot.approval;
