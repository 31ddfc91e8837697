-- Records pulled from providers: the runs that pull them, and the records themselves.

-- Whose turn it is.
ALTER TABLE connector ADD KEY next_sync_at (next_sync_at);

-- One run over all lists of a connector's type. Its place moves on with each page that is stored, so that whoever goes
-- on with it begins where the last one was.
CREATE TABLE sync_run (
	tenant_id BINARY(16) NOT NULL,
	sync_id BINARY(16) NOT NULL,
	connector_id BINARY(16) NOT NULL,
	job_id BINARY(16) NOT NULL COMMENT 'what carries it',
	state VARCHAR(16) NOT NULL COMMENT 'queued, running, done, partial or failed',
	collection VARCHAR(64) NULL COMMENT 'which list is being read; NULL: none yet',
	page INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'pages of that list that are stored',
	next_page VARCHAR(2048) NULL COMMENT 'what the page after them is asked for with; never a secret',
	pages INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'of all lists',
	fetched INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'rows that came: created, updated, unchanged and skipped',
	created INT UNSIGNED NOT NULL DEFAULT 0,
	updated INT UNSIGNED NOT NULL DEFAULT 0,
	unchanged INT UNSIGNED NOT NULL DEFAULT 0,
	skipped INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'without an id, too large, or with a secret in them',
	error_code VARCHAR(64) NULL,
	error_message VARCHAR(500) NULL,
	queued_at BIGINT NOT NULL,
	started_at BIGINT NULL,
	finished_at BIGINT NULL,
	PRIMARY KEY (tenant_id, sync_id),
	KEY connector (tenant_id, connector_id, sync_id),
	KEY finished_at (finished_at)
);

-- What a provider holds, as it gave it.
CREATE TABLE record (
	tenant_id BINARY(16) NOT NULL,
	connector_id BINARY(16) NOT NULL,
	collection VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	external_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL COMMENT 'the provider''s id',
	record_id BINARY(16) NOT NULL,
	body MEDIUMTEXT NOT NULL COMMENT 'JSON',
	body_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the body: what is as it was isn''t written',
	provider_updated_at VARCHAR(64) NULL COMMENT 'when the provider says that it changed, in the provider''s words',
	first_seen_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, connector_id, collection, external_id),
	KEY newest (tenant_id, connector_id, record_id),
	KEY newest_of_collection (tenant_id, connector_id, collection, record_id)
);
