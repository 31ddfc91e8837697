-- How the server is set up, for latchctl doctor and for each program that promises to keep what it acknowledges.

-- :name doctor_settings
-- :one
-- :pools front vault worker ctl
-- :global it asks about the server, not about a tenant
-- :out flush:int binlog:bool sync_binlog:int doublewrite:bool now_ms:int version:text(200)
SELECT @@GLOBAL.innodb_flush_log_at_trx_commit AS flush, @@GLOBAL.log_bin AS binlog, @@GLOBAL.sync_binlog AS sync_binlog,
	@@GLOBAL.innodb_doublewrite <> 0 AS doublewrite,
	CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS now_ms, VERSION() AS version;
