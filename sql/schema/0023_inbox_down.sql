-- Takes 0023_inbox_up.sql back, with every event that came in. No parameters.

DROP SCHEMA inbox CASCADE;
DROP SCHEMA ic_replay CASCADE;
