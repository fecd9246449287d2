-- What a load of millions of rows needs of the tables (docs/performance.md). Run once by the schema migration 0004;
-- 0004_speed_down.sql takes it back. No parameters.

-- Each derivative marks its master rows as processed: with room for every row's next version on its page an update
-- touches no index. A first load writes the master type by type, and reads it so.
ALTER TABLE staging.ic_communication_master SET (fillfactor = 48);
CREATE INDEX ic_communication_master_type ON staging.ic_communication_master
USING brin (derived_activity_type) WITH (pages_per_range = 32);

-- A check for each landed row of what one function writes in one transaction; drop_identity counts both sides.
ALTER TABLE staging.ic_communication_landing DROP CONSTRAINT ic_communication_landing_drop_id_fkey;

-- What the checks counted of each month, so that a run of one month counts that month and adds the others up.
-- Grain: one thing counted of one month; item tells apart what is listed by column, type or reason.
CREATE TABLE staging.ic_figure (
    source text NOT NULL,
    figure text NOT NULL,
    item text NOT NULL,
    comm_month date NOT NULL,
    failing bigint NOT NULL,
    checked bigint NOT NULL,
    PRIMARY KEY (source, figure, item, comm_month)
);
-- Which state of a month was counted: the applied_at of its stage in ic_month_stage.
CREATE TABLE staging.ic_figure_month (
    source text NOT NULL,
    comm_month date NOT NULL,
    applied_at timestamptz NOT NULL,
    PRIMARY KEY (source, comm_month)
);
