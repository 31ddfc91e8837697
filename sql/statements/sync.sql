-- Records pulled from providers, and the runs that pull them.

-- :name sync_insert
-- :exec
-- :pools front worker
-- :in sync_id:id connector_id:id job_id:id
INSERT INTO v_sync_run (tenant_id, sync_id, connector_id, job_id, state, queued_at)
VALUES (:tenant, :sync_id, :connector_id, :job_id, 'queued', :now);

-- :name sync_list
-- :many
-- :pools front
-- :in connector_id:id before:id limit:int
-- :out sync_id:id job_id:id state:text(16) collection:text(64)? pages:int fetched:int created:int updated:int unchanged:int skipped:int error_code:text(64)? error_message:text(500)? queued_at:time started_at:time? finished_at:time?
SELECT sync_id, job_id, state, collection, pages, fetched, created, updated, unchanged, skipped, error_code, error_message,
	queued_at, started_at, finished_at
FROM v_sync_of_connector
WHERE tenant_id = :tenant AND connector_id = :connector_id AND sync_id < :before AND :live
ORDER BY sync_id DESC
LIMIT :limit;

-- The newest run that hasn't ended.
-- :name sync_live
-- :one
-- :pools front worker
-- :in connector_id:id
-- :out sync_id:id job_id:id
SELECT sync_id, job_id
FROM v_sync_run
WHERE tenant_id = :tenant AND connector_id = :connector_id AND state IN ('queued', 'running')
ORDER BY sync_id DESC
LIMIT 1;

-- A run whose job is gone: it died with its workers too often, or somebody removed it.
-- :name sync_give_up
-- :exec
-- :pools front worker
-- :in connector_id:id error_code:text(64) error_message:text(500)
UPDATE v_sync_run SET state = 'failed', finished_at = :now, error_code = COALESCE(error_code, :error_code),
	error_message = COALESCE(error_message, :error_message)
WHERE tenant_id = :tenant AND connector_id = :connector_id AND state IN ('queued', 'running');

-- :name sync_get
-- :one
-- :pools worker
-- :in sync_id:id
-- :out connector_id:id state:text(16) collection:text(64)? page:int next_page:text(2048)? pages:int fetched:int created:int updated:int unchanged:int skipped:int error_code:text(64)? error_message:text(500)? started_at:time?
SELECT connector_id, state, collection, page, next_page, pages, fetched, created, updated, unchanged, skipped, error_code,
	error_message, started_at
FROM v_sync_run WHERE tenant_id = :tenant AND sync_id = :sync_id;

-- :name sync_write
-- :exec
-- :pools worker
-- :in sync_id:id state:text(16) collection:text(64)? page:int next_page:text(2048)? pages:int fetched:int created:int updated:int unchanged:int skipped:int error_code:text(64)? error_message:text(500)? started_at:time? finished_at:time?
UPDATE v_sync_run
SET state = :state, collection = :collection, page = :page, next_page = :next_page, pages = :pages, fetched = :fetched,
	created = :created, updated = :updated, unchanged = :unchanged, skipped = :skipped, error_code = :error_code,
	error_message = :error_message, started_at = :started_at, finished_at = :finished_at
WHERE tenant_id = :tenant AND sync_id = :sync_id;

-- --- records ------------------------------------------------------------------

-- :name record_list
-- :many
-- :pools front
-- :in connector_id:id before:id limit:int
-- :out record_id:id collection:text(64) external_id:text(255) body:text(262144) provider_updated_at:text(64)? first_seen_at:time updated_at:time
SELECT record_id, collection, external_id, body, provider_updated_at, first_seen_at, updated_at
FROM v_record_newest
WHERE tenant_id = :tenant AND connector_id = :connector_id AND record_id < :before AND :live
ORDER BY record_id DESC
LIMIT :limit;

-- :name record_list_of_collection
-- :many
-- :pools front
-- :in connector_id:id collection:text(64) before:id limit:int
-- :out record_id:id collection:text(64) external_id:text(255) body:text(262144) provider_updated_at:text(64)? first_seen_at:time updated_at:time
SELECT record_id, collection, external_id, body, provider_updated_at, first_seen_at, updated_at
FROM v_record_of_collection
WHERE tenant_id = :tenant AND connector_id = :connector_id AND collection = :collection AND record_id < :before AND :live
ORDER BY record_id DESC
LIMIT :limit;

-- Locked: another run of the same connector waits for this page.
-- :name record_find
-- :one
-- :pools worker
-- :in connector_id:id collection:text(64) external_id:text(255)
-- :out body_hash:bytes(32)
SELECT body_hash
FROM v_record
WHERE tenant_id = :tenant AND connector_id = :connector_id AND collection = :collection AND external_id = :external_id
FOR UPDATE;

-- :name record_insert
-- :exec
-- :pools worker
-- :in connector_id:id collection:text(64) external_id:text(255) record_id:id body:text(262144) body_hash:bytes(32) provider_updated_at:text(64)?
INSERT INTO v_record (tenant_id, connector_id, collection, external_id, record_id, body, body_hash, provider_updated_at,
	first_seen_at, updated_at)
VALUES (:tenant, :connector_id, :collection, :external_id, :record_id, :body, :body_hash, :provider_updated_at, :now, :now);

-- :name record_update
-- :exec
-- :pools worker
-- :in connector_id:id collection:text(64) external_id:text(255) body:text(262144) body_hash:bytes(32) provider_updated_at:text(64)?
UPDATE v_record SET body = :body, body_hash = :body_hash, provider_updated_at = :provider_updated_at, updated_at = :now
WHERE tenant_id = :tenant AND connector_id = :connector_id AND collection = :collection AND external_id = :external_id;

-- --- when ---------------------------------------------------------------------

-- :name sync_due
-- :many
-- :pools worker
-- :global the connectors of all tenants are synchronised in the background
-- :in limit:int
-- :out tenant_id:id connector_id:id next_sync_at:time
SELECT tenant_id, connector_id, next_sync_at
FROM connector
WHERE next_sync_at <= :now
ORDER BY next_sync_at
LIMIT :limit;

-- No row: another worker was first.
-- :name sync_take
-- :exec
-- :pools worker
-- :in connector_id:id next_sync_at:time? taken_at:time
UPDATE v_connector SET next_sync_at = :next_sync_at, updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND connector_id = :connector_id AND next_sync_at = :taken_at;

-- :name sync_note_end
-- :exec
-- :pools worker
-- :in connector_id:id
UPDATE v_connector SET last_sync_at = :now, updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND connector_id = :connector_id;

-- --- the end ------------------------------------------------------------------

-- Of a connector that is gone, a batch at a time.
-- :name record_forget
-- :exec
-- :pools worker
-- :in connector_id:id limit:int
DELETE FROM v_record WHERE tenant_id = :tenant AND connector_id = :connector_id LIMIT :limit;

-- :name sync_forget
-- :exec
-- :pools worker
-- :in connector_id:id limit:int
DELETE FROM v_sync_run WHERE tenant_id = :tenant AND connector_id = :connector_id LIMIT :limit;

-- :name sync_expire
-- :exec
-- :pools worker
-- :global history that has had its day
-- :in before:time limit:int
DELETE FROM sync_run WHERE finished_at < :before LIMIT :limit;

-- :name record_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_record WHERE tenant_id = :tenant;

-- :name sync_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_sync_run WHERE tenant_id = :tenant;
