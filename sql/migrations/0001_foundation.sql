-- The foundation: tenants and people, sessions and tokens, the vault, the audit trail.
--
-- Times are BIGINT milliseconds since the epoch, UTC; ids are UUIDv7 in BINARY(16).
-- Each table that holds a tenant's rows leads its key with tenant_id, so that a
-- tenant's rows lie together and every statement that names the tenant is a range
-- of the primary key. The pools never see these tables: they have views (views.sql).

CREATE TABLE root_key (
	purpose VARCHAR(16) NOT NULL COMMENT 'vault or front',
	root_key_id VARCHAR(32) NOT NULL,
	state VARCHAR(16) NOT NULL COMMENT 'current; old: still opens; retired: no row needs it',
	check_value BINARY(16) NOT NULL COMMENT 'HMAC of a constant: tells a wrong key file, reveals nothing',
	created_at BIGINT NOT NULL,
	PRIMARY KEY (purpose, root_key_id)
);

CREATE TABLE tenant (
	tenant_id BINARY(16) NOT NULL,
	name VARCHAR(200) NOT NULL,
	key_generation INT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'the generation that writers use; the first key is made at its first use',
	members_version INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'goes up with each change of roles, so that two of them never pass each other, on any node',
	created_at BIGINT NOT NULL,
	deleted_at BIGINT NULL,
	PRIMARY KEY (tenant_id)
);

CREATE TABLE tenant_key (
	tenant_id BINARY(16) NOT NULL COMMENT 'all zero: the key of the service itself, for the audit chain',
	generation INT UNSIGNED NOT NULL,
	root_key_id VARCHAR(32) NOT NULL,
	wrapped VARBINARY(128) NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, generation),
	KEY root_key_id (root_key_id)
);

-- Addresses, issuers and subjects are compared byte by byte: a collation that takes ADA for ada, or é for e,
-- would make one account out of two people.
CREATE TABLE user (
	user_id BINARY(16) NOT NULL,
	email VARCHAR(254) NOT NULL,
	email_key VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL COMMENT 'folded address that signs in with a password; NULL for an external issuer''s people',
	name VARCHAR(200) NULL,
	password_hash VARCHAR(255) NULL,
	issuer VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL,
	subject VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL,
	email_verified_at BIGINT NULL,
	disabled_at BIGINT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (user_id),
	UNIQUE KEY email_key (email_key),
	UNIQUE KEY issuer_subject (issuer, subject)
);

CREATE TABLE membership (
	tenant_id BINARY(16) NOT NULL,
	user_id BINARY(16) NOT NULL,
	role VARCHAR(16) NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, user_id),
	KEY user_id (user_id)
);

CREATE TABLE session (
	session_id BINARY(16) NOT NULL,
	user_id BINARY(16) NOT NULL,
	tenant_id BINARY(16) NOT NULL,
	role VARCHAR(16) NOT NULL COMMENT 'a change of role ends the session''s tokens at once: they carry the old one',
	address VARCHAR(45) NOT NULL,
	user_agent VARCHAR(200) NULL,
	created_at BIGINT NOT NULL,
	last_used_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL COMMENT 'absolute limit',
	revoked_at BIGINT NULL,
	PRIMARY KEY (session_id),
	KEY user_id (user_id, session_id),
	KEY known_address (user_id, address, created_at),
	KEY expires_at (expires_at)
);

CREATE TABLE refresh_token (
	token_hash BINARY(32) NOT NULL COMMENT 'SHA-256: the token has 256 random bits',
	session_id BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT NULL COMMENT 'set once; a second use ends the session',
	PRIMARY KEY (token_hash),
	KEY session_id (session_id),
	KEY expires_at (expires_at)
);

CREATE TABLE one_time_token (
	token_hash BINARY(32) NOT NULL,
	purpose VARCHAR(16) NOT NULL COMMENT 'reset or verify',
	user_id BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT NULL,
	PRIMARY KEY (token_hash),
	KEY user_id (user_id, purpose, created_at),
	KEY expires_at (expires_at)
);

CREATE TABLE invitation (
	tenant_id BINARY(16) NOT NULL,
	invitation_id BINARY(16) NOT NULL,
	email VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'folded',
	role VARCHAR(16) NOT NULL,
	token_hash BINARY(32) NOT NULL,
	invited_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	accepted_at BIGINT NULL,
	PRIMARY KEY (tenant_id, invitation_id),
	UNIQUE KEY token_hash (token_hash)
);

CREATE TABLE api_token (
	tenant_id BINARY(16) NOT NULL,
	token_id BINARY(16) NOT NULL,
	name VARCHAR(200) NOT NULL,
	secret_hash BINARY(32) NOT NULL,
	scopes VARCHAR(512) NOT NULL COMMENT 'separated by one space',
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NULL,
	last_used_at BIGINT NULL,
	revoked_at BIGINT NULL,
	PRIMARY KEY (tenant_id, token_id),
	UNIQUE KEY token_id (token_id)
);

CREATE TABLE login_throttle (
	subject_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the folded address, alone or with the client''s address',
	failures INT UNSIGNED NOT NULL,
	window_started_at BIGINT NOT NULL,
	blocked_until BIGINT NOT NULL,
	PRIMARY KEY (subject_hash),
	KEY window_started_at (window_started_at)
);

CREATE TABLE issuer_tenant (
	issuer VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
	claim VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'sub: each person has a tenant of their own',
	value VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
	tenant_id BINARY(16) NOT NULL,
	PRIMARY KEY (issuer, claim, value)
);

CREATE TABLE issuer_join (
	tenant_id BINARY(16) NOT NULL,
	user_id BINARY(16) NOT NULL COMMENT 'let in once by the word of an issuer: who is removed later stays out',
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, user_id)
);

CREATE TABLE jwks (
	issuer VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
	document MEDIUMTEXT NOT NULL COMMENT 'a JWK set, public members only',
	fetched_at BIGINT NOT NULL,
	PRIMARY KEY (issuer)
);

CREATE TABLE jwks_refresh (
	issuer VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
	wanted_at BIGINT NOT NULL COMMENT 'a pool met a kid that it did not know',
	tried_at BIGINT NOT NULL COMMENT 'when a fetch was begun, whether it went well or not',
	PRIMARY KEY (issuer)
);

CREATE TABLE credential (
	tenant_id BINARY(16) NOT NULL,
	credential_id BINARY(16) NOT NULL,
	name VARCHAR(200) NOT NULL,
	type VARCHAR(32) NOT NULL,
	service VARCHAR(64) NULL,
	key_service VARCHAR(64) NULL COMMENT 'set on the one key of a service that the short form (/keys) keeps',
	status VARCHAR(32) NOT NULL,
	masked MEDIUMTEXT NOT NULL COMMENT 'the data as answers show it: made when the secret was written',
	version INT UNSIGNED NOT NULL,
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	expires_at BIGINT NULL,
	verify_status VARCHAR(16) NULL,
	verify_error_code VARCHAR(64) NULL,
	verify_message VARCHAR(500) NULL,
	verify_account VARCHAR(1000) NULL,
	verify_checked_at BIGINT NULL,
	deleted_at BIGINT NULL,
	PRIMARY KEY (tenant_id, credential_id),
	UNIQUE KEY key_service (tenant_id, key_service),
	KEY name (tenant_id, name),
	KEY deleted_at (deleted_at)
);

CREATE TABLE credential_version (
	tenant_id BINARY(16) NOT NULL,
	credential_id BINARY(16) NOT NULL,
	version INT UNSIGNED NOT NULL,
	type VARCHAR(32) NOT NULL COMMENT 'bound into the ciphertext',
	owner BINARY(16) NOT NULL COMMENT 'who made the credential: bound into its key',
	key_generation INT UNSIGNED NOT NULL,
	ciphertext MEDIUMBLOB NOT NULL,
	masked MEDIUMTEXT NOT NULL,
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, credential_id, version),
	KEY key_generation (tenant_id, key_generation),
	-- A key that a row still needs can't be deleted, not even by a rotation on another Galera node.
	CONSTRAINT version_needs_key FOREIGN KEY (tenant_id, key_generation) REFERENCES tenant_key (tenant_id, generation)
);

CREATE TABLE audit (
	seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
	audit_id BINARY(16) NOT NULL,
	tenant_id BINARY(16) NOT NULL COMMENT 'all zero: the service itself',
	at BIGINT NOT NULL,
	actor_kind VARCHAR(16) NOT NULL COMMENT 'user, token, system or nobody',
	actor_id BINARY(16) NULL,
	action VARCHAR(64) NOT NULL,
	outcome VARCHAR(16) NOT NULL COMMENT 'ok, refused or failed',
	code VARCHAR(64) NULL COMMENT 'the public code of what was refused or failed',
	target_kind VARCHAR(16) NULL,
	target_id BINARY(16) NULL,
	service VARCHAR(64) NULL,
	address VARCHAR(45) NULL,
	request_id BINARY(16) NULL,
	details VARCHAR(2000) NULL COMMENT 'JSON, never a secret',
	PRIMARY KEY (seq),
	UNIQUE KEY audit_id (audit_id),
	KEY tenant_audit (tenant_id, audit_id),
	KEY tenant_target (tenant_id, target_id, audit_id)
);

CREATE TABLE audit_chain (
	position BIGINT UNSIGNED NOT NULL,
	seq BIGINT UNSIGNED NOT NULL,
	key_generation INT UNSIGNED NOT NULL,
	hash BINARY(32) NOT NULL COMMENT 'HMAC over the previous hash and the row',
	PRIMARY KEY (position),
	UNIQUE KEY seq (seq)
);

CREATE TABLE idempotency (
	key_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of tenant, actor, operation and the client''s key',
	request_hash BINARY(32) NOT NULL COMMENT 'HMAC of the body under a key that needs the client''s key',
	status SMALLINT NOT NULL COMMENT '0: nothing to replay yet (the transaction is still open)',
	answer MEDIUMBLOB NULL COMMENT 'sealed under a key that needs the client''s key',
	created_at BIGINT NOT NULL,
	PRIMARY KEY (key_hash),
	KEY created_at (created_at)
);

CREATE TABLE mail (
	mail_id BINARY(16) NOT NULL,
	kind VARCHAR(32) NOT NULL,
	recipient VARCHAR(254) NOT NULL,
	payload VARBINARY(4096) NOT NULL COMMENT 'sealed: it holds a single-use link',
	created_at BIGINT NOT NULL,
	sent_at BIGINT NULL,
	PRIMARY KEY (mail_id),
	KEY unsent (sent_at, created_at)
);
