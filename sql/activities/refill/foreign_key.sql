-- The foreign key of a derivative table on the master, as the schema has it; {table}, {name}.
ALTER TABLE staging.{table} ADD CONSTRAINT {name}
FOREIGN KEY (ic_communication_master_id) REFERENCES staging.ic_communication_master (id) ON DELETE CASCADE
