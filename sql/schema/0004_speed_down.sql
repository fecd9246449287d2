-- Takes back 0004_speed_up.sql.
DROP TABLE staging.ic_figure_month;
DROP TABLE staging.ic_figure;
ALTER TABLE staging.ic_communication_landing ADD CONSTRAINT ic_communication_landing_drop_id_fkey
FOREIGN KEY (drop_id) REFERENCES staging.ic_drop (drop_id) ON DELETE CASCADE;
DROP INDEX staging.ic_communication_master_type;
ALTER TABLE staging.ic_communication_master RESET (fillfactor);
