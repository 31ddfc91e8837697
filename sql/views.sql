-- What the pools see. Run again after every migration.
--
-- MariaDB has no row-level security, so the pools' accounts have no grant on a
-- tenant's tables, only on these views of the session's tenant. lw_tenant() is
-- DETERMINISTIC so that the optimiser takes it as a constant and keeps the
-- index. This guards against our own mistakes, not against somebody who already
-- runs SQL: such a person can set @lw_tenant too.

CREATE OR REPLACE FUNCTION lw_tenant() RETURNS BINARY(16) DETERMINISTIC NO SQL SQL SECURITY DEFINER RETURN @lw_tenant;

CREATE OR REPLACE VIEW v_tenant AS
SELECT tenant_id, name, key_generation, members_version, created_at, deleted_at
FROM tenant WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_tenant_key AS
SELECT tenant_id, generation, root_key_id, wrapped, created_at
FROM tenant_key WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_membership AS
SELECT tenant_id, user_id, role, created_at
FROM membership WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_session AS
SELECT session_id, user_id, tenant_id, role, address, user_agent, created_at, last_used_at, expires_at, revoked_at
FROM session WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_issuer_join AS
SELECT tenant_id, user_id, created_at
FROM issuer_join WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_invitation AS
SELECT tenant_id, invitation_id, email, role, token_hash, invited_by, created_at, expires_at, accepted_at
FROM invitation WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_api_token AS
SELECT tenant_id, token_id, name, secret_hash, scopes, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_token WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_credential AS
SELECT tenant_id, credential_id, name, type, service, key_service, status, masked, version, created_by, created_at,
	updated_at, expires_at, verify_status, verify_error_code, verify_message, verify_account, verify_checked_at, deleted_at
FROM credential WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

-- The history without its ciphertext: all that the front may see of it.
CREATE OR REPLACE VIEW v_credential_version AS
SELECT tenant_id, credential_id, version, type, key_generation, masked, created_by, created_at
FROM credential_version WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_credential_secret AS
SELECT tenant_id, credential_id, version, type, owner, key_generation, ciphertext, masked, created_by, created_at
FROM credential_version WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_audit AS
SELECT seq, audit_id, tenant_id, at, actor_kind, actor_id, action, outcome, code, target_kind, target_id, service,
	address, request_id, details
FROM audit WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

-- Rows of nobody's tenant: a login for an unknown address, work of the service itself.
CREATE OR REPLACE VIEW v_audit_system AS
SELECT seq, audit_id, tenant_id, at, actor_kind, actor_id, action, outcome, code, target_kind, target_id, service,
	address, request_id, details
FROM audit WHERE tenant_id = 0x00000000000000000000000000000000 WITH CHECK OPTION;

-- People without their password hashes: the front never needs one.
CREATE OR REPLACE VIEW v_user AS
SELECT user_id, email, email_key, name, issuer, subject, email_verified_at, disabled_at, created_at, updated_at
FROM user;
