-- Sessions and their refresh tokens.

-- The gate of every request with a token of ours: the session that the token names is live, and still of
-- that person, tenant and role. A change of role, tenant or password so ends old tokens at once.
-- :name session_enter
-- :one
-- :binds
-- :pools front vault
-- :global the token says which session it is of, and the row which tenant
-- :in session_id:id user_id:id tenant_id:id as_role:text(16)
-- :out tenant_id:id
SELECT @lw_tenant := tenant_id AS tenant_id
FROM session
WHERE session_id = :session_id AND user_id = :user_id AND tenant_id = :tenant_id AND role = :as_role
	AND revoked_at IS NULL AND expires_at > :now;

-- Who signs in where. The rows stay locked against a change of role until the session is stored, so that
-- a change of role meets either the session or its role.
-- :name session_subject
-- :one
-- :pools front vault
-- :out email:text(254) name:text(200)? email_verified_at:time? created_at:time tenant_name:text(200) tenant_created_at:time role:text(16)
SELECT u.email, u.name, u.email_verified_at, u.created_at, t.name AS tenant_name, t.created_at AS tenant_created_at,
	m.role
FROM v_membership m
JOIN v_tenant t ON t.tenant_id = m.tenant_id
JOIN v_user u ON u.user_id = m.user_id
WHERE m.tenant_id = :tenant AND m.user_id = :user AND t.deleted_at IS NULL AND u.disabled_at IS NULL
LOCK IN SHARE MODE;

-- :name session_insert
-- :exec
-- :pools vault
-- :in session_id:id address:text(45) user_agent:text(200)? expires_at:time
INSERT INTO v_session (session_id, user_id, tenant_id, role, address, user_agent, created_at, last_used_at, expires_at)
VALUES (:session_id, :user, :tenant, :role, :address, :user_agent, :now, :now, :expires_at);

-- The session goes on, in the same tenant or in another.
-- :name session_continue
-- :exec
-- :pools front vault
-- :global a session may move to another tenant of its person
-- :in session_id:id tenant_id:id as_role:text(16)
UPDATE session SET tenant_id = :tenant_id, role = :as_role, last_used_at = :now
WHERE session_id = :session_id AND user_id = :user AND revoked_at IS NULL AND expires_at > :now;

-- The index is named: from far away MariaDB takes it by its person alone, and begins at the newest session.
-- :name session_list
-- :many
-- :pools front
-- :global a person's own sessions, in whatever tenant
-- :in before:id idle_since:time limit:int
-- :out session_id:id address:text(45) user_agent:text(200)? created_at:time last_used_at:time expires_at:time
SELECT session_id, address, user_agent, created_at, last_used_at, expires_at
FROM session FORCE INDEX (user_id)
WHERE user_id = :user AND session_id < :before AND revoked_at IS NULL AND expires_at > :now
	AND last_used_at > :idle_since AND :live
ORDER BY session_id DESC
LIMIT :limit;

-- :name session_revoke
-- :exec
-- :pools front
-- :global a person's own session, in whatever tenant
-- :in session_id:id user_id:id
UPDATE session SET revoked_at = :now WHERE session_id = :session_id AND user_id = :user_id AND revoked_at IS NULL;

-- :name session_revoke_all
-- :exec
-- :pools front vault ctl
-- :global all sessions of one person, in whatever tenant
-- :in user_id:id but:id
UPDATE session SET revoked_at = :now WHERE user_id = :user_id AND session_id <> :but AND revoked_at IS NULL;

-- :name session_revoke_member
-- :exec
-- :pools front ctl
-- :in user_id:id
UPDATE v_session SET revoked_at = :now WHERE tenant_id = :tenant AND user_id = :user_id AND revoked_at IS NULL;

-- :name session_revoke_tenant
-- :exec
-- :pools ctl
-- :scan a tenant is deleted once; its sessions have no key of their own
UPDATE v_session SET revoked_at = :now WHERE tenant_id = :tenant AND revoked_at IS NULL;

-- :name session_set_role
-- :exec
-- :pools front ctl
-- :in user_id:id new_role:text(16)
UPDATE v_session SET role = :new_role WHERE tenant_id = :tenant AND user_id = :user_id AND revoked_at IS NULL;

-- :name session_expire
-- :exec
-- :pools worker
-- :global the rows of all tenants grow old
-- :in before:time limit:int
DELETE FROM session WHERE expires_at < :before ORDER BY expires_at LIMIT :limit;

-- :name refresh_insert
-- :exec
-- :pools front vault
-- :in token_hash:bytes(32) session_id:id expires_at:time
INSERT INTO refresh_token (token_hash, session_id, created_at, expires_at)
VALUES (:token_hash, :session_id, :now, :expires_at);

-- :name refresh_lock
-- :one
-- :pools front
-- :global the token itself says which session it is of
-- :in token_hash:bytes(32)
-- :out session_id:id user_id:id tenant_id:id used_at:time? expires_at:time session_expires_at:time revoked_at:time?
SELECT s.session_id, s.user_id, s.tenant_id, r.used_at, r.expires_at, s.expires_at AS session_expires_at, s.revoked_at
FROM refresh_token r
JOIN session s ON s.session_id = r.session_id
WHERE r.token_hash = :token_hash
FOR UPDATE;

-- Counts only an unused token, so that of two nodes that both hold the lock one fails to commit.
-- :name refresh_use
-- :exec
-- :pools front
-- :in token_hash:bytes(32)
UPDATE refresh_token SET used_at = :now WHERE token_hash = :token_hash AND used_at IS NULL;

-- :name refresh_retire
-- :exec
-- :pools front vault
-- :in session_id:id
UPDATE refresh_token SET used_at = :now WHERE session_id = :session_id AND used_at IS NULL;

-- :name refresh_expire
-- :exec
-- :pools worker
-- :in before:time limit:int
DELETE FROM refresh_token WHERE expires_at < :before ORDER BY expires_at LIMIT :limit;
