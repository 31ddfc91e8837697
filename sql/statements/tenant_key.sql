-- Tenants' keys, wrapped by a root key.

-- The generation that writers use, with its key (none before the first use). The lock is held until the COMMIT:
-- a rotation, which takes the tenant's row for itself, knows that nobody still writes under the old key.
-- :name tenant_key_current
-- :one
-- :pools vault worker ctl
-- :out generation:int root_key_id:text(32)? wrapped:bytes(128)?
SELECT GREATEST(t.key_generation, 1) AS generation, k.root_key_id, k.wrapped
FROM v_tenant t
LEFT JOIN v_tenant_key k ON k.tenant_id = t.tenant_id AND k.generation = GREATEST(t.key_generation, 1)
WHERE t.tenant_id = :tenant AND t.deleted_at IS NULL
LOCK IN SHARE MODE;

-- :name tenant_key_insert
-- :exec
-- :pools vault worker ctl
-- :in generation:int root_key_id:text(32) wrapped:bytes(128) created_at:time
INSERT INTO v_tenant_key (tenant_id, generation, root_key_id, wrapped, created_at)
VALUES (:tenant, :generation, :root_key_id, :wrapped, :created_at);

-- --- the key of the service itself ----------------------------------------------

-- :name system_key_newest
-- :one
-- :pools worker ctl
-- :global the key of nobody's tenant
-- :out generation:int root_key_id:text(32) wrapped:bytes(128)
SELECT generation, root_key_id, wrapped
FROM tenant_key
WHERE tenant_id = 0x00000000000000000000000000000000
ORDER BY generation DESC
LIMIT 1;

-- :name system_key_at
-- :one
-- :pools ctl
-- :global the key of nobody's tenant
-- :in generation:int
-- :out root_key_id:text(32) wrapped:bytes(128)
SELECT root_key_id, wrapped
FROM tenant_key
WHERE tenant_id = 0x00000000000000000000000000000000 AND generation = :generation;

-- :name system_key_insert
-- :exec
-- :pools worker ctl
-- :global the key of nobody's tenant
-- :in generation:int root_key_id:text(32) wrapped:bytes(128) created_at:time
INSERT INTO tenant_key (tenant_id, generation, root_key_id, wrapped, created_at)
VALUES (0x00000000000000000000000000000000, :generation, :root_key_id, :wrapped, :created_at);

-- --- rotation -----------------------------------------------------------------

-- :name tenant_key_lock
-- :one
-- :pools ctl
-- :out generation:int
SELECT GREATEST(key_generation, 1) AS generation FROM v_tenant WHERE tenant_id = :tenant AND deleted_at IS NULL FOR UPDATE;

-- :name tenant_key_advance
-- :exec
-- :pools ctl
-- :in generation:int
UPDATE v_tenant SET key_generation = :generation WHERE tenant_id = :tenant;

-- :name tenant_key_list
-- :many
-- :pools ctl
-- :out generation:int root_key_id:text(32) wrapped:bytes(128)
SELECT generation, root_key_id, wrapped FROM v_tenant_key WHERE tenant_id = :tenant ORDER BY generation;

-- :name tenant_key_stale
-- :many
-- :pools ctl
-- :in key_generation:int after:id after_version:int limit:int
-- :out credential_id:id version:int type:text(32) owner:id ciphertext:bytes(1048576)
SELECT credential_id, version, type, owner, ciphertext
FROM v_credential_secret
WHERE tenant_id = :tenant AND key_generation = :key_generation
	AND (credential_id > :after OR (credential_id = :after AND version > :after_version))
ORDER BY credential_id, version
LIMIT :limit;

-- :name tenant_key_reseal
-- :exec
-- :pools ctl
-- :in credential_id:id version:int old_generation:int key_generation:int ciphertext:bytes(1048576)
UPDATE v_credential_secret SET ciphertext = :ciphertext, key_generation = :key_generation
WHERE tenant_id = :tenant AND credential_id = :credential_id AND version = :version
	AND key_generation = :old_generation;

-- Two ranges of the index: `<>` would read every row of the tenant.
-- :name tenant_key_stale_count
-- :one
-- :pools ctl
-- :in key_generation:int
-- :out stale:int
SELECT (SELECT COUNT(*) FROM v_credential_secret older WHERE older.tenant_id = :tenant AND older.key_generation < :key_generation)
	+ (SELECT COUNT(*) FROM v_credential_secret newer WHERE newer.tenant_id = :tenant AND newer.key_generation > :key_generation) AS stale;

-- :name tenant_key_delete_old
-- :exec
-- :pools ctl
-- :in generation:int
DELETE FROM v_tenant_key WHERE tenant_id = :tenant AND generation < :generation;

-- :name tenant_key_forget
-- :exec
-- :pools ctl
DELETE FROM v_tenant_key WHERE tenant_id = :tenant;
