-- Takes 0002_hubspot_up.sql back. The ledger is the only record of what stands in HubSpot: the caller asks first
-- while records stand there. No parameters.

DROP SCHEMA hubspot CASCADE;
