-- The writes of write/lock.sql are over. No parameters.
SELECT
    set_config('ic_assets.writer', '', TRUE),
    set_config('ic_assets.log_from', '', TRUE)
