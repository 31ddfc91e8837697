-- Connectors. What they connect with is a credential; no secret is in their rows.

-- :name connector_list
-- :many
-- :pools front
-- :in before:id status:text(16)? connector_type:text(64)? limit:int
-- :out connector_id:id connector_type:text(64) display_name:text(200) auth:text(32) status:text(16) credential_id:id? owns_credential:bool account_id:text(255)? account_label:text(255)? scopes:text(4096)? limited:bool sync_frequency:text(16) last_sync_at:time? next_sync_at:time? next_check_at:time? error_code:text(64)? error_message:text(500)? error_at:time? created_by:id created_at:time updated_at:time hook_generation:int? hook_root_key:text(32)?
SELECT c.connector_id, c.connector_type, c.display_name, c.auth, c.status, c.credential_id, c.owns_credential, c.account_id,
	c.account_label, c.scopes, c.limited, c.sync_frequency, c.last_sync_at, c.next_sync_at, c.next_check_at, c.error_code,
	c.error_message, c.error_at, c.created_by, c.created_at, c.updated_at, c.hook_generation, c.hook_root_key
FROM v_connector_hook c
:live_join
WHERE c.tenant_id = :tenant AND c.connector_id < :before
	AND (:status IS NULL OR c.status = :status)
	AND (:connector_type IS NULL OR c.connector_type = :connector_type)
ORDER BY c.connector_id DESC
LIMIT :limit;

-- :name connector_get
-- :one
-- :pools front vault worker
-- :in connector_id:id
-- :out connector_id:id connector_type:text(64) display_name:text(200) auth:text(32) status:text(16) credential_id:id? owns_credential:bool account_id:text(255)? account_label:text(255)? scopes:text(4096)? limited:bool sync_frequency:text(16) last_sync_at:time? next_sync_at:time? next_check_at:time? error_code:text(64)? error_message:text(500)? error_at:time? created_by:id created_at:time updated_at:time hook_generation:int? hook_root_key:text(32)?
SELECT c.connector_id, c.connector_type, c.display_name, c.auth, c.status, c.credential_id, c.owns_credential, c.account_id,
	c.account_label, c.scopes, c.limited, c.sync_frequency, c.last_sync_at, c.next_sync_at, c.next_check_at, c.error_code,
	c.error_message, c.error_at, c.created_by, c.created_at, c.updated_at, c.hook_generation, c.hook_root_key
FROM v_connector_hook c
:live_join
WHERE c.tenant_id = :tenant AND c.connector_id = :connector_id;

-- Each change begins here, so that changes of one connector come one after the other.
-- :name connector_lock
-- :one
-- :pools vault worker
-- :in connector_id:id
-- :out connector_id:id connector_type:text(64) display_name:text(200) auth:text(32) status:text(16) credential_id:id? owns_credential:bool account_id:text(255)? account_label:text(255)? scopes:text(4096)? limited:bool sync_frequency:text(16) last_sync_at:time? next_sync_at:time? next_check_at:time? error_code:text(64)? error_message:text(500)? error_at:time? created_by:id created_at:time updated_at:time hook_generation:int? hook_root_key:text(32)?
SELECT connector_id, connector_type, display_name, auth, status, credential_id, owns_credential, account_id, account_label,
	scopes, limited, sync_frequency, last_sync_at, next_sync_at, next_check_at, error_code, error_message, error_at,
	created_by, created_at, updated_at,
	(SELECT secret_generation FROM v_hook WHERE v_hook.tenant_id = :tenant AND v_hook.connector_id = v_connector.connector_id)
		AS hook_generation,
	(SELECT root_key_id FROM v_hook WHERE v_hook.tenant_id = :tenant AND v_hook.connector_id = v_connector.connector_id)
		AS hook_root_key
FROM v_connector
WHERE tenant_id = :tenant AND connector_id = :connector_id
FOR UPDATE;

-- :name connector_insert
-- :exec
-- :pools vault
-- :in connector_id:id connector_type:text(64) display_name:text(200) auth:text(32) status:text(16) credential_id:id? owns_credential:bool account_id:text(255)? account_label:text(255)? scopes:text(4096)? limited:bool sync_frequency:text(16) last_sync_at:time? next_sync_at:time? next_check_at:time? error_code:text(64)? error_message:text(500)? error_at:time? created_by:id created_at:time updated_at:time
INSERT INTO v_connector (tenant_id, connector_id, connector_type, display_name, auth, status, credential_id, owns_credential, account_id, account_label,
	scopes, limited, sync_frequency, last_sync_at, next_sync_at, next_check_at, error_code, error_message, error_at,
	created_by, created_at, updated_at)
VALUES (:tenant, :connector_id, :connector_type, :display_name, :auth, :status, :credential_id, :owns_credential, :account_id,
	:account_label, :scopes, :limited, :sync_frequency, :last_sync_at, :next_sync_at, :next_check_at, :error_code,
	:error_message, :error_at, :created_by, :created_at, :updated_at);

-- :name connector_update
-- :exec
-- :pools vault worker
-- :in connector_id:id display_name:text(200) auth:text(32) status:text(16) credential_id:id? owns_credential:bool account_id:text(255)? account_label:text(255)? scopes:text(4096)? limited:bool sync_frequency:text(16) last_sync_at:time? next_sync_at:time? next_check_at:time? error_code:text(64)? error_message:text(500)? error_at:time? updated_at:time
UPDATE v_connector
SET display_name = :display_name, auth = :auth, status = :status, credential_id = :credential_id, owns_credential
	= :owns_credential, account_id = :account_id, account_label = :account_label, scopes = :scopes, limited =
	:limited, sync_frequency = :sync_frequency, last_sync_at = :last_sync_at, next_sync_at = :next_sync_at,
	next_check_at = :next_check_at, error_code = :error_code, error_message = :error_message, error_at =
	:error_at, updated_at = :updated_at
WHERE tenant_id = :tenant AND connector_id = :connector_id;

-- :name connector_delete
-- :exec
-- :pools vault
-- :in connector_id:id
DELETE FROM v_connector WHERE tenant_id = :tenant AND connector_id = :connector_id;

-- --- what happens to a connection ---------------------------------------------
-- These change every connector of one credential. Assignments are made from left to right, so `status` comes last
-- where others look at it.

-- It works.
-- :name connector_note_good
-- :exec
-- :pools vault worker
-- :in credential_id:id account_id:text(255)? account_label:text(255)? next_check_at:time
UPDATE v_connector
SET account_id = COALESCE(:account_id, account_id), account_label = COALESCE(:account_label, account_label),
	error_code = NULL, error_message = NULL, error_at = NULL,
	next_check_at = IF(status = 'disabled', NULL, :next_check_at),
	status = IF(status = 'disabled', status, 'active'), updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- It doesn't; `passing`: perhaps only now, so an active connector stays active.
-- :name connector_note_bad
-- :exec
-- :pools vault worker
-- :in credential_id:id error_code:text(64) error_message:text(500) passing:bool next_check_at:time
UPDATE v_connector
SET error_code = :error_code, error_message = :error_message, error_at = :now,
	next_check_at = IF(status IN ('disabled', 'needs_reconnect'), NULL, :next_check_at),
	status = IF(status IN ('disabled', 'needs_reconnect') OR (:passing AND status = 'active'), status, 'error'),
	updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- It never will again, until a person connects it anew.
-- :name connector_note_dead
-- :exec
-- :pools vault worker
-- :in credential_id:id error_code:text(64) error_message:text(500)
UPDATE v_connector
SET error_code = :error_code, error_message = :error_message, error_at = :now, next_check_at = NULL,
	status = IF(status = 'disabled', status, 'needs_reconnect'), updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- Whose turn it is to be tried in the background.
-- :name connector_check_due
-- :many
-- :pools worker
-- :global the connectors of all tenants are tried in the background
-- :in before:time limit:int
-- :out tenant_id:id connector_id:id credential_id:id?
SELECT tenant_id, connector_id, credential_id
FROM connector
WHERE next_check_at < :before
ORDER BY next_check_at
LIMIT :limit;

-- Puts the next look off before the call is made: a crash of the call can't make it happen in a loop. No row: another
-- worker was first.
-- :name connector_check_take
-- :exec
-- :pools worker
-- :in connector_id:id before:time next_check_at:time
UPDATE v_connector SET next_check_at = :next_check_at
WHERE tenant_id = :tenant AND connector_id = :connector_id AND next_check_at < :before;

-- Who else needs a credential: connectors, and services that are switched on with it.
-- :name connector_uses
-- :one
-- :pools vault
-- :in credential_id:id
-- :out uses:int
SELECT (SELECT COUNT(*) FROM v_connector c WHERE c.tenant_id = :tenant AND c.credential_id = :credential_id)
	+ (SELECT COUNT(*) FROM v_service_setting s WHERE s.tenant_id = :tenant AND s.credential_id = :credential_id) AS uses;

-- --- a tenant as a whole --------------------------------------------------------

-- :name connector_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_connector WHERE tenant_id = :tenant;

-- :name connector_forget_states
-- :exec
-- :pools ctl
-- :scan consents live for minutes, and tenants are deleted seldom
DELETE FROM v_oauth_state WHERE tenant_id = :tenant;

-- :name connector_forget_tokens
-- :exec
-- :pools ctl
DELETE FROM v_token_refresh WHERE tenant_id = :tenant;

-- :name connector_forget_services
-- :exec
-- :pools ctl
DELETE FROM v_service_setting WHERE tenant_id = :tenant;

-- :name connector_forget_sheets
-- :exec
-- :pools ctl
DELETE FROM v_sheet_mapping WHERE tenant_id = :tenant;

-- Of a type, in every tenant or in one.
-- :name connector_of_type
-- :many
-- :pools ctl
-- :global the operator cuts a provider off, in every tenant
-- :scan all connectors, for an operator in an emergency
-- :in connector_type:text(64) only_tenant:id? behind:id limit:int
-- :out tenant_id:id connector_id:id
SELECT tenant_id, connector_id
FROM connector
WHERE connector_type = :connector_type AND credential_id IS NOT NULL AND connector_id > :behind
	AND (:only_tenant IS NULL OR tenant_id = :only_tenant)
ORDER BY connector_id
LIMIT :limit;
