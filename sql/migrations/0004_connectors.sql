-- Connectors: a tenant's connections to providers, the OAuth dance that makes them, and what keeps their tokens fresh.

-- A refresh makes a version of the credential, too: the newest one of them is kept, and people's versions stay in the history.
ALTER TABLE credential_version
	ADD COLUMN made_by VARCHAR(16) NOT NULL DEFAULT 'person' COMMENT 'person, or refresh';

CREATE TABLE connector (
	tenant_id BINARY(16) NOT NULL,
	connector_id BINARY(16) NOT NULL,
	connector_type VARCHAR(64) NOT NULL COMMENT 'an entry of the catalogue; it may be gone from there',
	display_name VARCHAR(200) NOT NULL,
	auth VARCHAR(32) NOT NULL COMMENT 'which of the type''s ways to authenticate',
	status VARCHAR(16) NOT NULL COMMENT 'pending, active, error, needs_reconnect or disabled',
	credential_id BINARY(16) NULL,
	owns_credential TINYINT NOT NULL DEFAULT 0 COMMENT 'the credential was made with it, and goes with it',
	account_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL,
	account_label VARCHAR(255) NULL,
	scopes VARCHAR(4096) NULL COMMENT 'granted, separated by one space',
	limited TINYINT NOT NULL DEFAULT 0 COMMENT 'fewer scopes were granted than asked for',
	sync_frequency VARCHAR(16) NOT NULL DEFAULT 'manual',
	last_sync_at BIGINT NULL,
	next_sync_at BIGINT NULL,
	next_check_at BIGINT NULL COMMENT 'when the background health check is due',
	error_code VARCHAR(64) NULL,
	error_message VARCHAR(500) NULL,
	error_at BIGINT NULL,
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, connector_id),
	KEY credential (tenant_id, credential_id),
	KEY account (tenant_id, connector_type, account_id),
	KEY next_check_at (next_check_at)
);

-- A consent under way: found by the hash of the state that the provider brings back, used once.
CREATE TABLE oauth_state (
	state_hash BINARY(32) NOT NULL COMMENT 'SHA-256: the state has 256 random bits',
	tenant_id BINARY(16) NOT NULL,
	user_id BINARY(16) NOT NULL,
	connector_type VARCHAR(64) NOT NULL,
	browser_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the cookie of the browser that began',
	root_key_id VARCHAR(32) NOT NULL COMMENT 'the PKCE verifier is derived from the state under this vault root key',
	client_credential_id BINARY(16) NULL COMMENT 'the tenant''s own OAuth client; NULL: the operator''s',
	connector_id BINARY(16) NULL COMMENT 'set: that connector is connected again',
	field_values VARCHAR(4096) NOT NULL COMMENT 'JSON object: what the host templates were filled with; no secret',
	scopes VARCHAR(4096) NOT NULL COMMENT 'asked for, separated by one space',
	return_to VARCHAR(2048) NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT NULL,
	PRIMARY KEY (state_hash),
	KEY expires_at (expires_at)
);

-- One row for each credential whose token is fetched by us. The tokens themselves are in the credential's newest version; the
-- version's number is the generation that a refresh replaces.
CREATE TABLE token_refresh (
	tenant_id BINARY(16) NOT NULL,
	credential_id BINARY(16) NOT NULL,
	client_credential_id BINARY(16) NULL COMMENT 'the tenant''s own OAuth client; NULL: the operator''s, or what the credential holds itself',
	expires_at BIGINT NULL COMMENT 'of the access token; NULL: unknown or never',
	due_at BIGINT NULL COMMENT 'when the background refresh is due; NULL: never',
	intent_id BINARY(16) NULL COMMENT 'an exchange under way: it was announced before the provider was called',
	intent_version INT UNSIGNED NULL COMMENT 'the generation whose refresh token it uses',
	intent_at BIGINT NULL,
	intent_until BIGINT NULL COMMENT 'after this it is taken for dead, and its answer for lost',
	uncertain TINYINT NOT NULL DEFAULT 0 COMMENT 'an exchange of this generation died, so the provider may have answered it',
	failures INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'in a row',
	failed_at BIGINT NULL COMMENT 'of the last of them: who waited for that exchange gets its failure',
	retry_at BIGINT NULL,
	error_code VARCHAR(64) NULL,
	error_message VARCHAR(500) NULL,
	PRIMARY KEY (tenant_id, credential_id),
	KEY due_at (due_at)
);

CREATE TABLE service_setting (
	tenant_id BINARY(16) NOT NULL,
	service VARCHAR(64) NOT NULL,
	enabled TINYINT NOT NULL,
	credential_id BINARY(16) NULL,
	updated_by BINARY(16) NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, service)
);

CREATE TABLE sheet_mapping (
	tenant_id BINARY(16) NOT NULL,
	service VARCHAR(64) NOT NULL,
	spreadsheet_id VARCHAR(128) NOT NULL,
	sheet_name VARCHAR(128) NOT NULL,
	updated_by BINARY(16) NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, service)
);
