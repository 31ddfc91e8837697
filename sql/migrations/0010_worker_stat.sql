-- What the processes of latch-worker count, of all hosts together: they write it every few seconds, the front's metrics show it.
CREATE TABLE worker_stat (
	series VARCHAR(64) NOT NULL PRIMARY KEY COMMENT 'as in core/metrics.def',
	total BIGINT NOT NULL DEFAULT 0
);
