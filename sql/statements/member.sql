-- Who belongs to which tenant, as what.

-- Taken first by everything that changes roles: a lock on this node, and a write that lets one of two
-- nodes win. The owners that are counted behind it are all of them.
-- :name member_turn
-- :exec
-- :pools front vault ctl
UPDATE v_tenant SET members_version = members_version + 1 WHERE tenant_id = :tenant;

-- :name member_insert
-- :exec
-- :pools front vault ctl
-- :in user_id:id new_role:text(16)
INSERT INTO v_membership (tenant_id, user_id, role, created_at) VALUES (:tenant, :user_id, :new_role, :now);

-- :name member_get
-- :one
-- :pools front vault ctl
-- :in user_id:id
-- :out email:text(254) name:text(200)? role:text(16) created_at:time
SELECT u.email, u.name, m.role, m.created_at
FROM v_membership m
JOIN v_user u ON u.user_id = m.user_id
WHERE m.tenant_id = :tenant AND m.user_id = :user_id;

-- :name member_list
-- :many
-- :pools front
-- :in before:id limit:int
-- :out user_id:id email:text(254) name:text(200)? role:text(16) created_at:time
SELECT m.user_id, u.email, u.name, m.role, m.created_at
FROM v_membership m
JOIN v_user u ON u.user_id = m.user_id
:live_join
WHERE m.tenant_id = :tenant AND m.user_id < :before
ORDER BY m.user_id DESC
LIMIT :limit;

-- :name member_other_owners
-- :one
-- :pools front ctl
-- :in user_id:id
-- :out count:int
SELECT COUNT(*) AS count
FROM v_membership m
JOIN v_user u ON u.user_id = m.user_id
WHERE m.tenant_id = :tenant AND m.role = 'owner' AND m.user_id <> :user_id AND u.disabled_at IS NULL;

-- :name member_set_role
-- :exec
-- :pools front vault ctl
-- :in user_id:id new_role:text(16)
UPDATE v_membership SET role = :new_role WHERE tenant_id = :tenant AND user_id = :user_id;

-- :name member_delete
-- :exec
-- :pools front ctl
-- :in user_id:id
DELETE FROM v_membership WHERE tenant_id = :tenant AND user_id = :user_id;

-- :name member_tenants
-- :many
-- :pools front vault ctl
-- :global one person's tenants
-- :in user_id:id
-- :out tenant_id:id role:text(16)
SELECT m.tenant_id, m.role
FROM membership m
JOIN tenant t ON t.tenant_id = m.tenant_id
WHERE m.user_id = :user_id AND t.deleted_at IS NULL
ORDER BY m.created_at, m.tenant_id;
