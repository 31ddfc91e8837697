-- Consents under way, and whose OAuth client is used for them.

-- :name oauth_state_insert
-- :exec
-- :pools vault
-- :in state_hash:bytes(32) connector_type:text(64) browser_hash:bytes(32) root_key_id:text(32) client_credential_id:id? connector_id:id? field_values:text(4096) scopes:text(4096) return_to:text(2048)? expires_at:time
INSERT INTO v_oauth_state (state_hash, tenant_id, user_id, connector_type, browser_hash, root_key_id,
	client_credential_id, connector_id, field_values, scopes, return_to, created_at, expires_at)
VALUES (:state_hash, :tenant, :user, :connector_type, :browser_hash, :root_key_id, :client_credential_id,
	:connector_id, :field_values, :scopes, :return_to, :now, :expires_at);

-- Without a role: whoever began it isn't a member any more.
-- :name oauth_state_find
-- :one
-- :pools vault
-- :global the state that comes back with the browser says which tenant it is of
-- :in state_hash:bytes(32)
-- :out tenant_id:id user_id:id connector_type:text(64) browser_hash:bytes(32) root_key_id:text(32) client_credential_id:id? connector_id:id? field_values:text(4096) scopes:text(4096) return_to:text(2048)? expires_at:time used:bool role:text(16)?
SELECT s.tenant_id, s.user_id, s.connector_type, s.browser_hash, s.root_key_id, s.client_credential_id,
	s.connector_id, s.field_values, s.scopes, s.return_to, s.expires_at, s.used_at IS NOT NULL AS used, m.role
FROM oauth_state s
JOIN tenant t ON t.tenant_id = s.tenant_id AND t.deleted_at IS NULL
JOIN user u ON u.user_id = s.user_id AND u.disabled_at IS NULL
LEFT JOIN membership m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id
WHERE s.state_hash = :state_hash;

-- Counts once, however many come at the same time.
-- :name oauth_state_use
-- :exec
-- :pools vault
-- :in state_hash:bytes(32)
UPDATE v_oauth_state SET used_at = :now
WHERE tenant_id = :tenant AND state_hash = :state_hash AND used_at IS NULL AND expires_at > :now;

-- :name oauth_state_expire
-- :exec
-- :pools worker
-- :global consents of all tenants run out
-- :in before:time limit:int
DELETE FROM oauth_state WHERE expires_at < :before ORDER BY expires_at LIMIT :limit;

-- Consents of one tenant end one after the other: of two for the same account the second finds the first's connector.
-- :name oauth_lock_tenant
-- :one
-- :pools vault
-- :out tenant_id:id
SELECT tenant_id FROM v_tenant WHERE tenant_id = :tenant FOR UPDATE;

-- The same account, connected the same way before: it is connected again and not twice.
-- :name oauth_connector_of_account
-- :one
-- :pools vault
-- :in connector_type:text(64) auth:text(32) account_id:text(255)
-- :out connector_id:id
SELECT connector_id
FROM v_connector
WHERE tenant_id = :tenant AND connector_type = :connector_type AND account_id = :account_id AND auth = :auth
ORDER BY connector_id
LIMIT 1
FOR UPDATE;

-- --- clients ------------------------------------------------------------------

-- The credential that a tenant has switched a service on with; without a type it is gone.
-- :name oauth_client_of_service
-- :one
-- :pools vault worker
-- :in service:text(64)
-- :out credential_id:id? type:text(32)?
SELECT s.credential_id, c.type
FROM v_service_setting s
LEFT JOIN v_credential c ON c.tenant_id = s.tenant_id AND c.credential_id = s.credential_id AND c.deleted_at IS NULL
WHERE s.tenant_id = :tenant AND s.service = :service AND s.enabled;

-- :name oauth_client_type
-- :one
-- :pools vault worker
-- :in credential_id:id
-- :out type:text(32)
SELECT type FROM v_credential
WHERE tenant_id = :tenant AND credential_id = :credential_id AND deleted_at IS NULL;
