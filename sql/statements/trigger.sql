-- Triggers: addresses that start workflows.

-- :name trigger_insert
-- :exec
-- :pools front
-- :in trigger_id:id workflow_id:id name:text(200) method:text(4) auth_type:text(8) auth_header:text(64)? secret:bytes(512)? active:bool rate_per_minute:int respond:text(16)
INSERT INTO v_workflow_trigger (tenant_id, trigger_id, workflow_id, name, method, auth_type, auth_header, secret, active,
	rate_per_minute, respond, created_by, created_at, updated_at)
VALUES (:tenant, :trigger_id, :workflow_id, :name, :method, :auth_type, :auth_header, :secret, :active, :rate_per_minute,
	:respond, :user, :now, :now);

-- :name trigger_workflow
-- :one
-- :pools front
-- :in workflow_id:id
-- :out triggers:int
SELECT (SELECT COUNT(*) FROM v_workflow_trigger t WHERE t.tenant_id = :tenant AND t.workflow_id = w.workflow_id) AS triggers
FROM v_workflow w WHERE w.tenant_id = :tenant AND w.workflow_id = :workflow_id AND w.deleted_at IS NULL;

-- :name trigger_list
-- :many
-- :pools front
-- :in workflow_id:id before:id limit:int
-- :out trigger_id:id name:text(200) method:text(4) auth_type:text(8) active:bool rate_per_minute:int respond:text(16) created_by:id created_at:time updated_at:time
SELECT trigger_id, name, method, auth_type, active, rate_per_minute, respond, created_by, created_at, updated_at
FROM v_workflow_trigger
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND trigger_id < :before AND :live
ORDER BY trigger_id DESC
LIMIT :limit;

-- :name trigger_get
-- :one
-- :pools front
-- :in workflow_id:id trigger_id:id
-- :out trigger_id:id name:text(200) method:text(4) auth_type:text(8) active:bool rate_per_minute:int respond:text(16) created_by:id created_at:time updated_at:time
SELECT trigger_id, name, method, auth_type, active, rate_per_minute, respond, created_by, created_at, updated_at
FROM v_workflow_trigger
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND trigger_id = :trigger_id AND :live;

-- :name trigger_lock
-- :one
-- :pools front
-- :in workflow_id:id trigger_id:id
-- :out auth_type:text(8) auth_header:text(64)? secret:bytes(512)? created_by:id created_at:time updated_at:time
SELECT auth_type, auth_header, secret, created_by, created_at, updated_at
FROM v_workflow_trigger
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND trigger_id = :trigger_id FOR UPDATE;

-- :name trigger_update
-- :exec
-- :pools front
-- :in trigger_id:id name:text(200) method:text(4) auth_type:text(8) auth_header:text(64)? secret:bytes(512)? active:bool rate_per_minute:int respond:text(16) updated_at:time
UPDATE v_workflow_trigger SET name = :name, method = :method, auth_type = :auth_type, auth_header = :auth_header,
	secret = :secret, active = :active, rate_per_minute = :rate_per_minute, respond = :respond, updated_at = :updated_at
WHERE tenant_id = :tenant AND trigger_id = :trigger_id;

-- :name trigger_delete
-- :exec
-- :pools front
-- :in trigger_id:id
DELETE FROM v_workflow_trigger WHERE tenant_id = :tenant AND trigger_id = :trigger_id;

-- :name trigger_delete_of_workflow
-- :exec
-- :pools front
-- :in workflow_id:id
DELETE FROM v_workflow_trigger WHERE tenant_id = :tenant AND workflow_id = :workflow_id;

-- What a request needs to know: the address says which one it is, and the row whose.
-- :name trigger_open
-- :one
-- :binds
-- :pools front
-- :global the trigger in the address says whose it is
-- :in workflow_id:id trigger_id:id
-- :out tenant_id:id method:text(4) auth_type:text(8) auth_header:text(64)? secret:bytes(512)? rate_per_minute:int respond:text(16)
SELECT @lw_tenant := t.tenant_id AS tenant_id, t.method, t.auth_type, t.auth_header, t.secret, t.rate_per_minute, t.respond
FROM workflow_trigger t
JOIN workflow w ON w.tenant_id = t.tenant_id AND w.workflow_id = t.workflow_id
WHERE t.trigger_id = :trigger_id AND t.workflow_id = :workflow_id AND t.active = 1 AND w.active = 1
	AND w.deleted_at IS NULL;

-- :name trigger_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_workflow_trigger WHERE tenant_id = :tenant;
