-- Provider webhooks: where they come in, what came, and what was seen already.

-- One row for each connector that takes webhooks: all that the front needs to tell a genuine delivery.
CREATE TABLE hook (
	tenant_id BINARY(16) NOT NULL,
	connector_id BINARY(16) NOT NULL,
	connector_type VARCHAR(64) NOT NULL,
	secret_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the secret in the intake address',
	secret_generation INT UNSIGNED NOT NULL COMMENT 'the secret is derived: replacing it is the next number',
	root_key_id VARCHAR(32) NOT NULL COMMENT 'the front root key that it is derived under',
	due_at BIGINT NULL COMMENT 'when check_keys are to be made anew of the credential; 0: it has changed; NULL: they hold',
	check_keys BLOB NULL COMMENT 'sealed for the front: what checks signatures, by field; never the fields themselves',
	stored_keys BLOB NULL COMMENT 'the same, for keys that the provider handed over in its handshake',
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, connector_id),
	UNIQUE KEY secret_hash (secret_hash),
	KEY due (due_at)
);

-- Whoever changes a credential need not know who checks webhooks with it: connectors' own ones, and the tenant's OAuth
-- client of a provider, which many sign with.
-- :begin
CREATE TRIGGER credential_dates_hooks AFTER UPDATE ON credential FOR EACH ROW
BEGIN
	IF NEW.version <> OLD.version OR NOT NEW.deleted_at <=> OLD.deleted_at THEN
		UPDATE hook JOIN connector ON connector.tenant_id = hook.tenant_id AND connector.connector_id = hook.connector_id
		SET hook.due_at = 0
		WHERE hook.tenant_id = NEW.tenant_id AND connector.credential_id = NEW.credential_id;
		UPDATE hook JOIN service_setting ON service_setting.tenant_id = hook.tenant_id
			AND service_setting.service = hook.connector_type
		SET hook.due_at = 0
		WHERE hook.tenant_id = NEW.tenant_id AND service_setting.credential_id = NEW.credential_id;
	END IF;
END
-- :end

-- :begin
CREATE TRIGGER connector_dates_hook AFTER UPDATE ON connector FOR EACH ROW
BEGIN
	IF NOT NEW.credential_id <=> OLD.credential_id THEN
		UPDATE hook SET due_at = 0 WHERE tenant_id = NEW.tenant_id AND connector_id = NEW.connector_id;
	END IF;
END
-- :end

CREATE TRIGGER connector_takes_hook_along AFTER DELETE ON connector FOR EACH ROW
	DELETE FROM hook WHERE tenant_id = OLD.tenant_id AND connector_id = OLD.connector_id;

-- What was accepted already. It lives as long as the events do.
CREATE TABLE event_key (
	connector_id BINARY(16) NOT NULL,
	key_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the provider''s event id, or of the body where it gives none',
	event_id BINARY(16) NOT NULL,
	PRIMARY KEY (connector_id, key_hash),
	KEY event_id (event_id)
);

-- Partitioned by the id, which begins with its time, so that old events are dropped as a whole.
CREATE TABLE event (
	tenant_id BINARY(16) NOT NULL,
	event_id BINARY(16) NOT NULL,
	connector_id BINARY(16) NOT NULL,
	provider VARCHAR(64) NOT NULL,
	type VARCHAR(128) NOT NULL,
	status VARCHAR(16) NOT NULL COMMENT 'received, processed or failed',
	provider_event_id VARCHAR(255) NULL,
	account VARCHAR(255) NULL,
	subject_kind VARCHAR(64) NULL,
	subject_id VARCHAR(255) NULL,
	occurred_at BIGINT NULL,
	received_at BIGINT NOT NULL,
	processed_at BIGINT NULL,
	headers VARCHAR(4000) NOT NULL COMMENT 'JSON: those that hold no secret',
	body MEDIUMBLOB NOT NULL COMMENT 'the bytes as they came, or one element of a list of events',
	PRIMARY KEY (tenant_id, event_id),
	KEY connector (tenant_id, connector_id, event_id)
) PARTITION BY RANGE COLUMNS (event_id) (PARTITION pmax VALUES LESS THAN (MAXVALUE));

-- Where a tenant's events are sent on to.
CREATE TABLE subscription (
	tenant_id BINARY(16) NOT NULL,
	subscription_id BINARY(16) NOT NULL,
	url VARCHAR(2048) NOT NULL,
	event_types VARCHAR(2000) NULL COMMENT 'separated by one space; NULL: all',
	connector_id BINARY(16) NULL COMMENT 'NULL: of all connectors',
	active TINYINT NOT NULL DEFAULT 1,
	secret VARBINARY(512) NOT NULL COMMENT 'what deliveries are signed with, sealed under the front''s root key',
	error_code VARCHAR(64) NULL COMMENT 'how the last delivery went wrong',
	error_at BIGINT NULL,
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, subscription_id)
);
