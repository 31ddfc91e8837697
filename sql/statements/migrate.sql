-- The schema's own history (store/migrate.c).

-- The newest version that is complete; 0 when there is none.
-- :name migration_version
-- :one
-- :pools front vault ctl
-- :out version:int
-- :scan one row for each migration
SELECT COALESCE(MAX(version), 0) AS version FROM schema_migration WHERE applied_at IS NOT NULL;

-- :name migration_list
-- :many
-- :pools ctl
-- :out version:int name:text(100) checksum:bytes(32) started:int done:int applied_at:time?
-- :scan one row for each migration
SELECT version, name, checksum, started, done, applied_at FROM schema_migration ORDER BY version;

-- :name migration_begin
-- :exec
-- :pools ctl
-- :in version:int name:text(100) checksum:bytes(32)
INSERT INTO schema_migration (version, name, checksum, started, done) VALUES (:version, :name, :checksum, 0, 0);

-- A file that stopped half-way may be mended.
-- :name migration_mend
-- :exec
-- :pools ctl
-- :in version:int checksum:bytes(32)
UPDATE schema_migration SET checksum = :checksum WHERE version = :version AND applied_at IS NULL;

-- :name migration_mark
-- :exec
-- :pools ctl
-- :in version:int started:int done:int
UPDATE schema_migration SET started = :started, done = :done WHERE version = :version;

-- :name migration_finish
-- :exec
-- :pools ctl
-- :in version:int
UPDATE schema_migration SET applied_at = :now WHERE version = :version;

-- One migration at a time. The server may need a moment to notice that the one before has died.
-- :name migration_lock
-- :one
-- :pools ctl
-- :out got:bool?
SELECT GET_LOCK(CONCAT('latchwork.migrate.', DATABASE()), 2) AS got;

-- :name migration_unlock
-- :one
-- :pools ctl
-- :out released:bool?
SELECT RELEASE_LOCK(CONCAT('latchwork.migrate.', DATABASE())) AS released;

-- What accounts hold on this database now.
-- :name migration_grants
-- :many
-- :pools ctl
-- :out grantee:text(200) object:text(64) privilege:text(64)
-- :scan the server's own tables have no keys
SELECT GRANTEE AS grantee, TABLE_NAME AS object, PRIVILEGE_TYPE AS privilege
FROM information_schema.TABLE_PRIVILEGES WHERE TABLE_SCHEMA = DATABASE();
