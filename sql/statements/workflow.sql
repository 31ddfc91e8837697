-- Workflows, their versions and what starts them.

-- --- what a definition names ------------------------------------------------------------------

-- :name workflow_has_connector
-- :one
-- :pools front vault worker
-- :in id:id
-- :out id:id
SELECT connector_id AS id FROM v_connector WHERE tenant_id = :tenant AND connector_id = :id;

-- :name workflow_has_credential
-- :one
-- :pools front vault worker
-- :in id:id
-- :out id:id type:text(32) service:text(64)?
SELECT credential_id AS id, type, service FROM v_credential WHERE tenant_id = :tenant AND credential_id = :id AND deleted_at IS NULL;

-- :name workflow_has_workflow
-- :one
-- :pools front vault worker
-- :in id:id
-- :out id:id
SELECT workflow_id AS id FROM v_workflow WHERE tenant_id = :tenant AND workflow_id = :id AND deleted_at IS NULL;

-- --- workflows ----------------------------------------------------------------------------------

-- :name workflow_insert
-- :exec
-- :pools front
-- :in workflow_id:id name:text(200) description:text(2000) active:bool
INSERT INTO v_workflow (tenant_id, workflow_id, name, description, active, version, created_by, created_at, updated_at)
VALUES (:tenant, :workflow_id, :name, :description, :active, 1, :user, :now, :now);

-- :name workflow_version_insert
-- :exec
-- :pools front
-- :in workflow_id:id version:int definition:json
INSERT INTO v_workflow_version (tenant_id, workflow_id, version, definition, created_by, created_at)
VALUES (:tenant, :workflow_id, :version, :definition, :user, :now);

-- :name workflow_list
-- :many
-- :pools front
-- :in before:id limit:int
-- :out workflow_id:id name:text(200) description:text(2000) active:bool version:int created_by:id created_at:time updated_at:time
SELECT workflow_id, name, description, active, version, created_by, created_at, updated_at
FROM v_workflow
WHERE tenant_id = :tenant AND workflow_id < :before AND deleted_at IS NULL AND :live
ORDER BY workflow_id DESC
LIMIT :limit;

-- :name workflow_get
-- :one
-- :pools front
-- :in workflow_id:id
-- :out workflow_id:id name:text(200) description:text(2000) active:bool version:int created_by:id created_at:time updated_at:time definition:json
SELECT w.workflow_id, w.name, w.description, w.active, w.version, w.created_by, w.created_at, w.updated_at, v.definition
FROM v_workflow w
JOIN v_workflow_version v ON v.tenant_id = w.tenant_id AND v.workflow_id = w.workflow_id AND v.version = w.version
WHERE w.tenant_id = :tenant AND w.workflow_id = :workflow_id AND w.deleted_at IS NULL AND :live;

-- Each change begins here, so that changes of one workflow come one after the other.
-- :name workflow_lock
-- :one
-- :pools front
-- :in workflow_id:id
-- :out workflow_id:id name:text(200) description:text(2000) active:bool version:int created_by:id created_at:time updated_at:time
SELECT workflow_id, name, description, active, version, created_by, created_at, updated_at
FROM v_workflow WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND deleted_at IS NULL FOR UPDATE;

-- :name workflow_update
-- :exec
-- :pools front
-- :in workflow_id:id name:text(200) description:text(2000) active:bool version:int updated_at:time
UPDATE v_workflow SET name = :name, description = :description, active = :active,
	versions_due_at = IF(version = :version, versions_due_at, :updated_at), version = :version, updated_at = :updated_at
WHERE tenant_id = :tenant AND workflow_id = :workflow_id;

-- Its versions are looked at until the last one may go, and the row with it.
-- :name workflow_hide
-- :exec
-- :pools front
-- :in workflow_id:id updated_at:time
UPDATE v_workflow SET active = 0, deleted_at = :now, versions_due_at = :now, updated_at = :updated_at
WHERE tenant_id = :tenant AND workflow_id = :workflow_id;

-- :name workflow_count
-- :one
-- :pools front
-- :out workflows:int
SELECT COUNT(*) AS workflows FROM v_workflow WHERE tenant_id = :tenant AND deleted_at IS NULL;

-- --- versions -------------------------------------------------------------------------------------

-- :name workflow_version_list
-- :many
-- :pools front
-- :in workflow_id:id before:int limit:int
-- :out version:int created_by:id created_at:time
SELECT v.version, v.created_by, v.created_at
FROM v_workflow_version v
JOIN v_workflow w ON w.tenant_id = v.tenant_id AND w.workflow_id = v.workflow_id
WHERE v.tenant_id = :tenant AND v.workflow_id = :workflow_id AND v.version < :before AND w.deleted_at IS NULL AND :live
ORDER BY v.version DESC
LIMIT :limit;

-- :name workflow_version_get
-- :one
-- :pools front
-- :in workflow_id:id version:int
-- :out version:int definition:json created_by:id created_at:time
SELECT v.version, v.definition, v.created_by, v.created_at
FROM v_workflow_version v
JOIN v_workflow w ON w.tenant_id = v.tenant_id AND w.workflow_id = v.workflow_id
WHERE v.tenant_id = :tenant AND v.workflow_id = :workflow_id AND v.version = :version AND w.deleted_at IS NULL AND :live;

-- --- event triggers ---------------------------------------------------------------------------------

-- :name workflow_listener_insert
-- :exec
-- :pools front
-- :in workflow_id:id position:int connector_id:id? provider:text(64)? event_types:text(2000)?
INSERT INTO v_workflow_listener (tenant_id, workflow_id, position, connector_id, provider, event_types)
VALUES (:tenant, :workflow_id, :position, :connector_id, :provider, :event_types);

-- :name workflow_listener_clear
-- :exec
-- :pools front
-- :in workflow_id:id
DELETE FROM v_workflow_listener WHERE tenant_id = :tenant AND workflow_id = :workflow_id;

-- --- schedules ----------------------------------------------------------------------------------------

-- :name schedule_insert
-- :exec
-- :pools front
-- :in schedule_id:id workflow_id:id cron:text(200) time_zone:text(64) missed:text(8) input_data:json active:bool next_at:time?
INSERT INTO v_workflow_schedule (tenant_id, schedule_id, workflow_id, cron, time_zone, missed, input_data, active, next_at,
	created_by, created_at, updated_at)
VALUES (:tenant, :schedule_id, :workflow_id, :cron, :time_zone, :missed, :input_data, :active, :next_at, :user, :now, :now);

-- :name schedule_list
-- :many
-- :pools front
-- :in workflow_id:id before:id limit:int
-- :out schedule_id:id
SELECT schedule_id
FROM v_workflow_schedule
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND schedule_id < :before AND :live
ORDER BY schedule_id DESC
LIMIT :limit;

-- :name schedule_get
-- :one
-- :pools front
-- :in workflow_id:id schedule_id:id
-- :out schedule_id:id cron:text(200) time_zone:text(64) missed:text(8) input_data:json active:bool next_at:time? last_at:time? created_by:id created_at:time updated_at:time
SELECT schedule_id, cron, time_zone, missed, input_data, active, next_at, last_at, created_by, created_at, updated_at
FROM v_workflow_schedule
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND schedule_id = :schedule_id AND :live;

-- :name schedule_lock
-- :one
-- :pools front
-- :in workflow_id:id schedule_id:id
-- :out schedule_id:id active:bool last_at:time? created_by:id created_at:time updated_at:time
SELECT schedule_id, active, last_at, created_by, created_at, updated_at
FROM v_workflow_schedule
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND schedule_id = :schedule_id FOR UPDATE;

-- :name schedule_update
-- :exec
-- :pools front
-- :in schedule_id:id cron:text(200) time_zone:text(64) missed:text(8) input_data:json active:bool next_at:time? updated_at:time
UPDATE v_workflow_schedule SET cron = :cron, time_zone = :time_zone, missed = :missed, input_data = :input_data,
	active = :active, next_at = :next_at, held_at = NULL, updated_at = :updated_at
WHERE tenant_id = :tenant AND schedule_id = :schedule_id;

-- :name schedule_delete
-- :exec
-- :pools front
-- :in schedule_id:id
DELETE FROM v_workflow_schedule WHERE tenant_id = :tenant AND schedule_id = :schedule_id;

-- :name schedule_delete_of_workflow
-- :exec
-- :pools front
-- :in workflow_id:id
DELETE FROM v_workflow_schedule WHERE tenant_id = :tenant AND workflow_id = :workflow_id;

-- :name schedule_count
-- :one
-- :pools front
-- :in workflow_id:id
-- :out schedules:int
SELECT COUNT(*) AS schedules FROM v_workflow_schedule WHERE tenant_id = :tenant AND workflow_id = :workflow_id;

-- Those whose time has come, of all tenants, the earliest first.
-- :name schedule_due
-- :many
-- :pools worker
-- :global the clock knows no tenants
-- :in before:time limit:int
-- :out tenant_id:id schedule_id:id
SELECT tenant_id, schedule_id FROM workflow_schedule WHERE next_at <= :before ORDER BY next_at LIMIT :limit;

-- :name schedule_due_lock
-- :one
-- :pools worker
-- :in schedule_id:id
-- :out workflow_id:id cron:text(200) time_zone:text(64) missed:text(8) input_data:json next_at:time? held_at:time? active:bool workflow_active:bool deleted_at:time?
SELECT s.workflow_id, s.cron, s.time_zone, s.missed, s.input_data, s.next_at, s.held_at, s.active, w.active AS workflow_active,
	w.deleted_at
FROM v_workflow_schedule s
JOIN v_workflow w ON w.tenant_id = s.tenant_id AND w.workflow_id = s.workflow_id
WHERE s.tenant_id = :tenant AND s.schedule_id = :schedule_id;

-- Whoever moves it from the time that was seen starts the execution; all others match no row.
-- :name schedule_move
-- :exec
-- :pools worker
-- :in schedule_id:id seen_at:time next_at:time? last_at:time?
UPDATE v_workflow_schedule SET next_at = :next_at, last_at = COALESCE(:last_at, last_at), held_at = NULL
WHERE tenant_id = :tenant AND schedule_id = :schedule_id AND next_at = :seen_at;

-- It can't start anything now: the same time comes again.
-- :name schedule_hold
-- :exec
-- :pools worker
-- :in schedule_id:id seen_at:time again_at:time
UPDATE v_workflow_schedule SET held_at = COALESCE(held_at, next_at), next_at = :again_at
WHERE tenant_id = :tenant AND schedule_id = :schedule_id AND next_at = :seen_at;

-- --- a tenant as a whole --------------------------------------------------------------------

-- :name workflow_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_workflow WHERE tenant_id = :tenant;

-- :name workflow_forget_versions
-- :exec
-- :pools ctl
DELETE FROM v_workflow_version WHERE tenant_id = :tenant;

-- :name workflow_forget_listeners
-- :exec
-- :pools ctl
DELETE FROM v_workflow_listener WHERE tenant_id = :tenant;

-- :name workflow_forget_schedules
-- :exec
-- :pools ctl
DELETE FROM v_workflow_schedule WHERE tenant_id = :tenant;
