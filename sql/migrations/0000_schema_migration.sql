-- How far the schema has come. Run first, every time.

CREATE TABLE IF NOT EXISTS schema_migration (
	version INT NOT NULL,
	name VARCHAR(100) NOT NULL,
	checksum BINARY(32) NOT NULL COMMENT 'SHA-256 of the file',
	started INT NOT NULL COMMENT 'statements that were begun',
	done INT NOT NULL COMMENT 'statements that were finished',
	applied_at BIGINT NULL COMMENT 'set when all of them were',
	PRIMARY KEY (version)
);
