-- Where provider webhooks come in. The front reads these rows: what they hold checks signatures and opens nothing.

-- :name hook_by_secret
-- :one
-- :pools front
-- :global the secret in the address says whose it is
-- :in secret_hash:bytes(32)
-- :out tenant_id:id connector_id:id connector_type:text(64) check_keys:bytes(8192)? stored_keys:bytes(8192)? updated_at:time
SELECT hook.tenant_id, hook.connector_id, hook.connector_type, hook.check_keys, hook.stored_keys, hook.updated_at
FROM hook
JOIN connector ON connector.tenant_id = hook.tenant_id AND connector.connector_id = hook.connector_id
WHERE hook.secret_hash = :secret_hash AND connector.status <> 'disabled';

-- What the keys are made of is read behind this lock: a change that comes later makes them due again.
-- :name hook_lock
-- :one
-- :pools vault worker
-- :in connector_id:id
-- :out secret_generation:int
SELECT secret_generation FROM v_hook WHERE tenant_id = :tenant AND connector_id = :connector_id FOR UPDATE;

-- :name hook_insert
-- :exec
-- :pools vault
-- :in connector_id:id connector_type:text(64) secret_hash:bytes(32) secret_generation:int root_key_id:text(32)
INSERT INTO v_hook (tenant_id, connector_id, connector_type, secret_hash, secret_generation, root_key_id, updated_at)
VALUES (:tenant, :connector_id, :connector_type, :secret_hash, :secret_generation, :root_key_id, :now);

-- The old address ends at once, and so does what somebody handed over at it.
-- :name hook_replace_secret
-- :exec
-- :pools vault
-- :in connector_id:id secret_hash:bytes(32) secret_generation:int root_key_id:text(32)
UPDATE v_hook SET secret_hash = :secret_hash, secret_generation = :secret_generation, root_key_id = :root_key_id,
	stored_keys = NULL, updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND connector_id = :connector_id;

-- :name hook_set_keys
-- :exec
-- :pools vault worker
-- :in connector_id:id check_keys:bytes(8192)? due_at:time?
UPDATE v_hook SET check_keys = :check_keys, due_at = :due_at, updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND connector_id = :connector_id;

-- Their keys couldn't be made: the old ones stay until another try.
-- :name hook_put_off
-- :exec
-- :pools worker
-- :in connector_id:id due_at:time
UPDATE v_hook SET due_at = :due_at WHERE tenant_id = :tenant AND connector_id = :connector_id;

-- Hooks whose keys are to be made anew.
-- :name hook_due
-- :many
-- :pools worker
-- :global the worker serves every tenant
-- :in before:time limit:int
-- :out tenant_id:id connector_id:id
SELECT tenant_id, connector_id FROM hook WHERE due_at <= :before ORDER BY due_at LIMIT :limit;

-- Since when a credential is what it is, and what it was before.
-- :name hook_credential
-- :one
-- :pools vault worker
-- :in credential_id:id
-- :out created_at:time earlier:int?
SELECT v.created_at, (SELECT p.version FROM v_credential_secret p
	WHERE p.tenant_id = :tenant AND p.credential_id = :credential_id AND p.version < c.version
	ORDER BY p.version DESC LIMIT 1) AS earlier
FROM v_credential c
JOIN v_credential_secret v ON v.tenant_id = c.tenant_id AND v.credential_id = c.credential_id AND v.version = c.version
WHERE c.tenant_id = :tenant AND c.credential_id = :credential_id AND c.deleted_at IS NULL;

-- The first one that comes. No row: somebody was faster, or the hook is another one by now.
-- :name hook_set_stored_keys
-- :exec
-- :pools front
-- :in connector_id:id hook_state:time stored_keys:bytes(8192)?
UPDATE v_hook SET stored_keys = :stored_keys, updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND connector_id = :connector_id AND updated_at = :hook_state AND stored_keys IS NULL;
