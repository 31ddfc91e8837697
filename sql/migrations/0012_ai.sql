-- Models: agents, what was said with them, what they know, and what they cost.

CREATE TABLE agent (
	tenant_id BINARY(16) NOT NULL,
	agent_id BINARY(16) NOT NULL,
	name VARCHAR(200) NOT NULL,
	description VARCHAR(2000) NOT NULL DEFAULT '',
	provider VARCHAR(16) NULL COMMENT 'gemini, openai or anthropic; NULL: the configuration''s',
	model VARCHAR(128) NULL COMMENT 'NULL: the configuration''s',
	credential_id BINARY(16) NULL COMMENT 'the key; NULL: the tenant''s key of that service',
	instructions MEDIUMTEXT NOT NULL COMMENT 'the system prompt',
	use_knowledge TINYINT NOT NULL DEFAULT 1,
	connectors VARCHAR(4000) NOT NULL COMMENT 'JSON list of the connectors that it may call',
	fallback VARCHAR(2000) NULL COMMENT 'what it says when no model answers; NULL: the error',
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, agent_id),
	UNIQUE KEY agent_name (tenant_id, name)
);

-- What was said, so that the next answer knows it. The id begins with its time.
CREATE TABLE agent_message (
	tenant_id BINARY(16) NOT NULL,
	conversation_id BINARY(16) NOT NULL,
	message_id BINARY(16) NOT NULL,
	agent_id BINARY(16) NOT NULL,
	who VARCHAR(8) NOT NULL COMMENT 'user or model',
	text MEDIUMTEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, conversation_id, message_id),
	KEY created_at (created_at)
);

-- One row for each call of a model.
CREATE TABLE ai_usage (
	tenant_id BINARY(16) NOT NULL,
	usage_id BINARY(16) NOT NULL,
	provider VARCHAR(16) NOT NULL,
	model VARCHAR(128) NOT NULL,
	source VARCHAR(12) NOT NULL COMMENT 'generate, workflow, agent or step',
	source_id BINARY(16) NULL COMMENT 'the agent or the execution',
	tokens_in INT UNSIGNED NOT NULL,
	tokens_out INT UNSIGNED NOT NULL,
	outcome VARCHAR(64) NOT NULL COMMENT 'ok, or the code of the error',
	duration_ms INT UNSIGNED NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, usage_id),
	KEY created_at (created_at)
);

CREATE TABLE knowledge (
	tenant_id BINARY(16) NOT NULL,
	knowledge_id BINARY(16) NOT NULL,
	kind VARCHAR(8) NOT NULL COMMENT 'pdf, page or manual',
	title VARCHAR(300) NOT NULL,
	source VARCHAR(2048) NULL COMMENT 'the file''s name or the page''s address',
	status VARCHAR(12) NOT NULL COMMENT 'waiting, ready or failed',
	error_code VARCHAR(64) NULL,
	error_message VARCHAR(500) NULL,
	enabled TINYINT NOT NULL DEFAULT 1,
	characters INT UNSIGNED NOT NULL DEFAULT 0,
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, knowledge_id)
);

-- A file until its text has been taken out of it.
CREATE TABLE knowledge_file (
	tenant_id BINARY(16) NOT NULL,
	knowledge_id BINARY(16) NOT NULL,
	body LONGBLOB NOT NULL,
	PRIMARY KEY (tenant_id, knowledge_id)
);

-- The text in pieces of the size that goes into a prompt.
CREATE TABLE knowledge_passage (
	tenant_id BINARY(16) NOT NULL,
	knowledge_id BINARY(16) NOT NULL,
	position INT UNSIGNED NOT NULL,
	text TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
	PRIMARY KEY (tenant_id, knowledge_id, position),
	FULLTEXT KEY text (text)
);
