-- The register of root keys: which there are, and how a wrong file is told. The keys themselves are never here.

-- :name root_key_list
-- :many
-- :pools front vault worker ctl
-- :in purpose:text(16)
-- :out root_key_id:text(32) state:text(16) check_value:bytes(16) created_at:time
SELECT root_key_id, state, check_value, created_at FROM root_key WHERE purpose = :purpose ORDER BY created_at, root_key_id;

-- Whoever wraps a key holds this lock until the COMMIT, so a rotation that has the row knows of every wrapped key.
-- :name root_key_current
-- :one
-- :pools vault worker ctl
-- :in purpose:text(16)
-- :out root_key_id:text(32) check_value:bytes(16)
SELECT root_key_id, check_value FROM root_key WHERE purpose = :purpose AND state = 'current' LOCK IN SHARE MODE;

-- :name root_key_lock
-- :many
-- :pools ctl
-- :in purpose:text(16)
-- :out root_key_id:text(32) state:text(16)
SELECT root_key_id, state FROM root_key WHERE purpose = :purpose FOR UPDATE;

-- :name root_key_demote
-- :exec
-- :pools ctl
-- :in purpose:text(16)
UPDATE root_key SET state = 'old' WHERE purpose = :purpose AND state = 'current';

-- :name root_key_insert
-- :exec
-- :pools ctl
-- :in purpose:text(16) root_key_id:text(32) check_value:bytes(16) created_at:time
INSERT INTO root_key (purpose, root_key_id, state, check_value, created_at)
VALUES (:purpose, :root_key_id, 'current', :check_value, :created_at);

-- :name root_key_promote
-- :exec
-- :pools ctl
-- :in purpose:text(16) root_key_id:text(32) check_value:bytes(16)
UPDATE root_key SET state = 'current'
WHERE purpose = :purpose AND root_key_id = :root_key_id AND check_value = :check_value;

-- :name root_key_retire
-- :exec
-- :pools ctl
-- :in purpose:text(16)
UPDATE root_key SET state = 'retired' WHERE purpose = :purpose AND state = 'old';

-- :name root_key_uses
-- :one
-- :scan the keys of all tenants are counted, when a root key is retired
-- :pools ctl
-- :global a root key wraps the keys of all tenants
-- :in root_key_id:text(32)
-- :out on_it:int elsewhere:int
SELECT COALESCE(SUM(root_key_id = :root_key_id), 0) AS on_it, COALESCE(SUM(root_key_id <> :root_key_id), 0) AS elsewhere
FROM tenant_key;

-- :name root_key_wrapped
-- :many
-- :pools ctl
-- :global a root key wraps the keys of all tenants
-- :in after:id after_generation:int limit:int
-- :out tenant_id:id generation:int root_key_id:text(32) wrapped:bytes(128)
SELECT tenant_id, generation, root_key_id, wrapped
FROM tenant_key
WHERE tenant_id > :after OR (tenant_id = :after AND generation > :after_generation)
ORDER BY tenant_id, generation
LIMIT :limit;

-- :name root_key_rewrap
-- :exec
-- :pools ctl
-- :global a root key wraps the keys of all tenants
-- :in key_tenant:id generation:int old_id:text(32) root_key_id:text(32) wrapped:bytes(128)
UPDATE tenant_key SET root_key_id = :root_key_id, wrapped = :wrapped
WHERE tenant_id = :key_tenant AND generation = :generation AND root_key_id = :old_id;
