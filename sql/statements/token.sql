-- API tokens.

-- The gate of every request with an API token. A token lives as long as the one who made it may make
-- tokens; its hash is compared by the caller, in constant time.
-- :name api_token_enter
-- :one
-- :binds
-- :pools front vault
-- :global the token itself says which tenant it is of
-- :in token_id:id
-- :out tenant_id:id created_by:id secret_hash:bytes(32) scopes:text(512) expires_at:time? last_used_at:time?
SELECT @lw_tenant := a.tenant_id AS tenant_id, a.created_by, a.secret_hash, a.scopes, a.expires_at, a.last_used_at
FROM api_token a
JOIN tenant t ON t.tenant_id = a.tenant_id
JOIN membership m ON m.tenant_id = a.tenant_id AND m.user_id = a.created_by
JOIN v_user u ON u.user_id = a.created_by
WHERE a.token_id = :token_id AND a.revoked_at IS NULL AND t.deleted_at IS NULL AND u.disabled_at IS NULL
	AND m.role IN ('admin', 'owner');

-- :name api_token_touch
-- :exec
-- :pools front vault
-- :in token_id:id before:time
UPDATE v_api_token SET last_used_at = :now
WHERE tenant_id = :tenant AND token_id = :token_id AND (last_used_at IS NULL OR last_used_at < :before);

-- :name api_token_insert
-- :exec
-- :pools front ctl
-- :in token_id:id name:text(200) secret_hash:bytes(32) scopes:text(512) expires_at:time?
INSERT INTO v_api_token (tenant_id, token_id, name, secret_hash, scopes, created_by, created_at, expires_at)
VALUES (:tenant, :token_id, :name, :secret_hash, :scopes, :user, :now, :expires_at);

-- :name api_token_name
-- :one
-- :pools front
-- :in token_id:id
-- :out name:text(200)
SELECT name FROM v_api_token WHERE tenant_id = :tenant AND token_id = :token_id;

-- :name api_token_list
-- :many
-- :pools front ctl
-- :in before:id limit:int
-- :out token_id:id name:text(200) scopes:text(512) created_by:id created_at:time expires_at:time? last_used_at:time?
SELECT token_id, name, scopes, created_by, created_at, expires_at, last_used_at
FROM v_api_token
WHERE tenant_id = :tenant AND token_id < :before AND revoked_at IS NULL AND :live
ORDER BY token_id DESC
LIMIT :limit;

-- :name api_token_revoke
-- :exec
-- :pools front ctl
-- :in token_id:id
UPDATE v_api_token SET revoked_at = :now WHERE tenant_id = :tenant AND token_id = :token_id AND revoked_at IS NULL;

-- :name api_token_revoke_of
-- :exec
-- :pools front ctl
-- :in user_id:id
UPDATE v_api_token SET revoked_at = :now WHERE tenant_id = :tenant AND created_by = :user_id AND revoked_at IS NULL;

-- :name api_token_revoke_tenant
-- :exec
-- :pools ctl
UPDATE v_api_token SET revoked_at = :now WHERE tenant_id = :tenant AND revoked_at IS NULL;
