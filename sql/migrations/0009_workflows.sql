-- Workflows: what was drawn, what starts it, and every run of it.

CREATE TABLE workflow (
	tenant_id BINARY(16) NOT NULL,
	workflow_id BINARY(16) NOT NULL,
	name VARCHAR(200) NOT NULL,
	description VARCHAR(2000) NOT NULL DEFAULT '',
	active TINYINT NOT NULL DEFAULT 1 COMMENT '0: nothing starts it but a person',
	version INT UNSIGNED NOT NULL COMMENT 'the newest one: executions that begin take it',
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	deleted_at BIGINT NULL COMMENT 'gone for everybody; kept while executions show it',
	PRIMARY KEY (tenant_id, workflow_id)
);

-- A version never changes: an execution goes on with the one that it began with.
CREATE TABLE workflow_version (
	tenant_id BINARY(16) NOT NULL,
	workflow_id BINARY(16) NOT NULL,
	version INT UNSIGNED NOT NULL,
	definition MEDIUMTEXT NOT NULL COMMENT 'JSON as it was saved, in either form; never a secret',
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, workflow_id, version)
);

-- The event triggers of each workflow's newest version.
CREATE TABLE workflow_listener (
	tenant_id BINARY(16) NOT NULL,
	workflow_id BINARY(16) NOT NULL,
	position INT UNSIGNED NOT NULL COMMENT 'among the definition''s triggers',
	connector_id BINARY(16) NULL COMMENT 'NULL: of all connectors',
	provider VARCHAR(64) NULL COMMENT 'NULL: of all connector types',
	event_types VARCHAR(2000) NULL COMMENT 'JSON list; NULL: all',
	PRIMARY KEY (tenant_id, workflow_id, position)
);

-- An address that starts a workflow.
CREATE TABLE workflow_trigger (
	tenant_id BINARY(16) NOT NULL,
	trigger_id BINARY(16) NOT NULL,
	workflow_id BINARY(16) NOT NULL,
	name VARCHAR(200) NOT NULL,
	method VARCHAR(4) NOT NULL COMMENT 'GET, POST or PUT',
	auth_type VARCHAR(8) NOT NULL COMMENT 'none, api_key, bearer or hmac',
	auth_header VARCHAR(64) NULL COMMENT 'where an hmac''s signature stands',
	secret VARBINARY(512) NULL COMMENT 'sealed under the front''s root key',
	active TINYINT NOT NULL DEFAULT 1,
	rate_per_minute INT UNSIGNED NOT NULL COMMENT '0: no limit of its own',
	respond VARCHAR(16) NOT NULL COMMENT 'immediately or when_finished',
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, trigger_id),
	UNIQUE KEY trigger_id (trigger_id),
	KEY workflow (tenant_id, workflow_id, trigger_id)
);

CREATE TABLE workflow_schedule (
	tenant_id BINARY(16) NOT NULL,
	schedule_id BINARY(16) NOT NULL,
	workflow_id BINARY(16) NOT NULL,
	cron VARCHAR(200) NOT NULL COMMENT 'five fields',
	time_zone VARCHAR(64) NOT NULL COMMENT 'of the tz database',
	missed VARCHAR(8) NOT NULL COMMENT 'skip or once: what becomes of the times at which nobody was there',
	input_data MEDIUMTEXT NOT NULL COMMENT 'JSON',
	active TINYINT NOT NULL DEFAULT 1,
	next_at BIGINT NULL COMMENT 'NULL: never',
	last_at BIGINT NULL,
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, schedule_id),
	KEY workflow (tenant_id, workflow_id, schedule_id),
	KEY next_at (next_at)
);

-- One run of a workflow. Partitioned by the id, which begins with its time, like all that belongs to it.
CREATE TABLE execution (
	tenant_id BINARY(16) NOT NULL,
	execution_id BINARY(16) NOT NULL,
	workflow_id BINARY(16) NOT NULL,
	version INT UNSIGNED NOT NULL,
	status VARCHAR(12) NOT NULL COMMENT 'queued, running, waiting, completed, failed or cancelled',
	turn INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'one more with each change: who saw an older one changes nothing',
	events INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'how many are logged',
	source VARCHAR(12) NOT NULL COMMENT 'manual, webhook, schedule, event, workflow, run or retry',
	source_id BINARY(16) NULL COMMENT 'the trigger, schedule, event, earlier execution ...',
	parent_id BINARY(16) NULL COMMENT 'the execution whose step this is',
	parent_step VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL,
	depth TINYINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'workflows around it',
	root_id BINARY(16) NULL COMMENT 'the outermost of the executions around it; NULL: there is none',
	family INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'of an outermost one: how many have begun within it',
	only_step VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'runs that one alone',
	run_id BINARY(16) NULL COMMENT 'the live run that watches it',
	awaited TINYINT NOT NULL DEFAULT 0 COMMENT 'a client holds the line until it is over',
	input_data MEDIUMTEXT NOT NULL COMMENT 'JSON',
	request TEXT NULL COMMENT 'JSON: method, safe headers, query and address of the request that started it',
	output_data MEDIUMTEXT NULL COMMENT 'JSON; NULL with output_step: it is that step''s',
	output_step VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL,
	error_code VARCHAR(64) NULL,
	error_message VARCHAR(500) NULL,
	error_step VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL,
	started_by BINARY(16) NULL COMMENT 'the person',
	started_at BIGINT NOT NULL,
	completed_at BIGINT NULL,
	PRIMARY KEY (tenant_id, execution_id),
	KEY workflow (tenant_id, workflow_id, execution_id)
) PARTITION BY RANGE COLUMNS (execution_id) (PARTITION pmax VALUES LESS THAN (MAXVALUE));

CREATE TABLE execution_step (
	tenant_id BINARY(16) NOT NULL,
	execution_id BINARY(16) NOT NULL,
	step_id VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the definition; its n-th item: id[n]',
	status VARCHAR(12) NOT NULL COMMENT 'running, waiting, completed, failed, skipped or cancelled',
	attempt INT UNSIGNED NOT NULL COMMENT 'the number of the try, written before it begins',
	job_id BINARY(16) NULL COMMENT 'which job carries it while it runs or waits',
	wake_at BIGINT NULL COMMENT 'of a waiting one: when it goes on by itself',
	state MEDIUMTEXT NULL COMMENT 'JSON: what a step that waits keeps for itself',
	output_data MEDIUMTEXT NULL COMMENT 'JSON, stored here and nowhere else',
	error_code VARCHAR(64) NULL,
	error_message VARCHAR(500) NULL,
	started_at BIGINT NULL,
	completed_at BIGINT NULL,
	PRIMARY KEY (tenant_id, execution_id, step_id)
) PARTITION BY RANGE COLUMNS (execution_id) (PARTITION pmax VALUES LESS THAN (MAXVALUE));

-- What happened, in order, for whoever watches: the events of one turn are one row.
CREATE TABLE execution_event (
	tenant_id BINARY(16) NOT NULL,
	execution_id BINARY(16) NOT NULL,
	first INT UNSIGNED NOT NULL COMMENT 'the number of the first of them, from 1 on',
	events MEDIUMTEXT NOT NULL COMMENT 'JSON list',
	PRIMARY KEY (tenant_id, execution_id, first)
) PARTITION BY RANGE COLUMNS (execution_id) (PARTITION pmax VALUES LESS THAN (MAXVALUE));

-- What a person says to an execution that waits.
CREATE TABLE execution_signal (
	tenant_id BINARY(16) NOT NULL,
	execution_id BINARY(16) NOT NULL,
	signal_id BINARY(16) NOT NULL,
	kind VARCHAR(32) NOT NULL COMMENT 'message or advance',
	step_id VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'for that step; NULL: for whichever waits',
	payload MEDIUMTEXT NOT NULL COMMENT 'JSON',
	created_at BIGINT NOT NULL,
	taken_at BIGINT NULL,
	PRIMARY KEY (tenant_id, execution_id, signal_id)
) PARTITION BY RANGE COLUMNS (execution_id) (PARTITION pmax VALUES LESS THAN (MAXVALUE));

-- A session in which a person watches and steers.
CREATE TABLE live_run (
	tenant_id BINARY(16) NOT NULL,
	run_id BINARY(16) NOT NULL,
	workflow_id BINARY(16) NOT NULL,
	execution_id BINARY(16) NULL COMMENT 'NULL: session:start hasn''t come',
	status VARCHAR(8) NOT NULL COMMENT 'open or ended',
	created_by BINARY(16) NOT NULL,
	created_at BIGINT NOT NULL,
	ended_at BIGINT NULL,
	PRIMARY KEY (tenant_id, run_id),
	KEY created_at (created_at)
);
