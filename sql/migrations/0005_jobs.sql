-- The job engine's two tables: what is to be done, and what was done.
--
-- `job` stays small, so that claiming costs the same whatever has been done before: a finished job moves to
-- job_history, whose partitions are dropped as a whole when their time is over.

CREATE TABLE job (
	tenant_id BINARY(16) NOT NULL COMMENT 'all zero: the service itself',
	job_id BINARY(16) NOT NULL,
	queue VARCHAR(16) NOT NULL,
	kind VARCHAR(32) NOT NULL,
	state VARCHAR(8) NOT NULL COMMENT 'live: waiting or leased; dead: a person has to look at it',
	run_at BIGINT NOT NULL COMMENT 'not before; of a leased one: when its lease ends and another worker may take it',
	attempts INT UNSIGNED NOT NULL DEFAULT 0,
	lease BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'fencing token: one more with each claim; who holds an older one can''t write',
	worker VARCHAR(64) NULL COMMENT 'who holds the lease; NULL: nobody',
	subject_id BINARY(16) NULL COMMENT 'what it is about: an event, a connector, a mail',
	once_key BINARY(32) NULL COMMENT 'SHA-256: at most one live job of that key',
	payload VARCHAR(4096) NOT NULL COMMENT 'JSON, never a secret',
	error_code VARCHAR(64) NULL,
	error_message VARCHAR(500) NULL,
	created_at BIGINT NOT NULL,
	started_at BIGINT NULL,
	PRIMARY KEY (tenant_id, job_id),
	UNIQUE KEY once_key (once_key),
	-- A tenant's first due job is one dive into this index, however many jobs it has.
	KEY claim (state, queue, tenant_id, run_at)
);

-- Partitioned by the id, which begins with its time (RFC 9562, section 5.7). lw_partitions
-- (views.sql) adds and drops partitions.
CREATE TABLE job_history (
	tenant_id BINARY(16) NOT NULL,
	job_id BINARY(16) NOT NULL,
	queue VARCHAR(16) NOT NULL,
	kind VARCHAR(32) NOT NULL,
	attempts INT UNSIGNED NOT NULL,
	subject_id BINARY(16) NULL,
	created_at BIGINT NOT NULL,
	finished_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, job_id)
) PARTITION BY RANGE COLUMNS (job_id) (PARTITION pmax VALUES LESS THAN (MAXVALUE));

-- What monitoring is told of each queue: the worker writes it every few seconds.
CREATE TABLE queue_stat (
	queue VARCHAR(16) NOT NULL PRIMARY KEY,
	waiting BIGINT NOT NULL DEFAULT 0 COMMENT 'live ones, leased or not; counted up to a limit',
	dead BIGINT NOT NULL DEFAULT 0 COMMENT 'up to the same limit',
	oldest_due_at BIGINT NULL COMMENT 'since when the first of those that could be begun waits',
	done_total BIGINT NOT NULL DEFAULT 0,
	failed_total BIGINT NOT NULL DEFAULT 0 COMMENT 'runs that are tried again',
	buried_total BIGINT NOT NULL DEFAULT 0 COMMENT 'given up',
	measured_at BIGINT NOT NULL
);
