-- Invitations.

-- :name invitation_insert
-- :exec
-- :pools front
-- :in invitation_id:id email:text(254) new_role:text(16) token_hash:bytes(32) expires_at:time
INSERT INTO v_invitation (tenant_id, invitation_id, email, role, token_hash, invited_by, created_at, expires_at)
VALUES (:tenant, :invitation_id, :email, :new_role, :token_hash, :user, :now, :expires_at);

-- :name invitation_list
-- :many
-- :pools front
-- :in before:id limit:int
-- :out invitation_id:id email:text(254) role:text(16) invited_by:id created_at:time expires_at:time
SELECT invitation_id, email, role, invited_by, created_at, expires_at
FROM v_invitation
WHERE tenant_id = :tenant AND invitation_id < :before AND accepted_at IS NULL AND :live
ORDER BY invitation_id DESC
LIMIT :limit;

-- :name invitation_lock
-- :one
-- :pools front
-- :in invitation_id:id
-- :out email:text(254) role:text(16) invited_by:id created_at:time expires_at:time
SELECT email, role, invited_by, created_at, expires_at
FROM v_invitation
WHERE tenant_id = :tenant AND invitation_id = :invitation_id AND accepted_at IS NULL
FOR UPDATE;

-- :name invitation_set_role
-- :exec
-- :pools front
-- :in invitation_id:id new_role:text(16)
UPDATE v_invitation SET role = :new_role
WHERE tenant_id = :tenant AND invitation_id = :invitation_id AND accepted_at IS NULL;

-- :name invitation_take_back
-- :exec
-- :pools front
-- :in invitation_id:id
DELETE FROM v_invitation WHERE tenant_id = :tenant AND invitation_id = :invitation_id AND accepted_at IS NULL;

-- :name invitation_replace
-- :exec
-- :pools front
-- :in email:text(254)
DELETE FROM v_invitation WHERE tenant_id = :tenant AND email = :email AND accepted_at IS NULL;

-- Somebody who lost a role must not come back by an invitation made before.
-- :name invitation_take_back_of
-- :exec
-- :pools front vault ctl
-- :in user_id:id
DELETE FROM v_invitation WHERE tenant_id = :tenant AND invited_by = :user_id AND accepted_at IS NULL;

-- An account that was disabled lets nobody in, by no link that it has sent.
-- :name invitation_by_token
-- :one
-- :pools vault
-- :global the link says which tenant it leads to
-- :in token_hash:bytes(32)
-- :out tenant_id:id invitation_id:id email:text(254) role:text(16)
SELECT i.tenant_id, i.invitation_id, i.email, i.role
FROM invitation i
JOIN tenant t ON t.tenant_id = i.tenant_id
JOIN v_user u ON u.user_id = i.invited_by
WHERE i.token_hash = :token_hash AND i.accepted_at IS NULL AND i.expires_at > :now AND t.deleted_at IS NULL
	AND u.disabled_at IS NULL
FOR UPDATE;

-- Counts only an open one, so that of two nodes that both hold the lock one fails to commit.
-- :name invitation_use
-- :exec
-- :pools vault
-- :in invitation_id:id
UPDATE v_invitation SET accepted_at = :now
WHERE tenant_id = :tenant AND invitation_id = :invitation_id AND accepted_at IS NULL;

-- :name invitation_expire
-- :exec
-- :pools worker
-- :global the rows of all tenants grow old
-- :in before:time limit:int
DELETE FROM invitation WHERE expires_at < :before ORDER BY expires_at LIMIT :limit;
