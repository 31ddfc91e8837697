-- Tenants: what identity needs of them. Their keys are the vault's (tenant_key).

-- :name tenant_insert
-- :exec
-- :pools front vault ctl
-- :in name:text(200)
INSERT INTO v_tenant (tenant_id, name, created_at) VALUES (:tenant, :name, :now);

-- :name tenant_get
-- :one
-- :pools front ctl
-- :out name:text(200) created_at:time deleted_at:time?
SELECT name, created_at, deleted_at FROM v_tenant WHERE tenant_id = :tenant;

-- :name tenant_list
-- :many
-- :pools ctl
-- :global the operator's list of all tenants
-- :in after:id limit:int
-- :out tenant_id:id name:text(200) members:int created_at:time deleted_at:time?
SELECT t.tenant_id, t.name, (SELECT COUNT(*) FROM membership m WHERE m.tenant_id = t.tenant_id) AS members, t.created_at,
	t.deleted_at
FROM tenant t
WHERE t.tenant_id > :after
ORDER BY t.tenant_id
LIMIT :limit;

-- :name tenant_mark_deleted
-- :exec
-- :pools ctl
UPDATE v_tenant SET deleted_at = :now WHERE tenant_id = :tenant AND deleted_at IS NULL;
