-- How long a tenant's own rows are kept, what is no longer referred to, and how much may be under way at once.

-- A tenant's own limits, shorter than the installation's: the partitions' drop stays the last word. A row is there once
-- somebody has set one.
CREATE TABLE tenant_retention (
	tenant_id BINARY(16) NOT NULL,
	event_days SMALLINT UNSIGNED NULL COMMENT 'NULL, here and below: the installation''s',
	execution_days SMALLINT UNSIGNED NULL,
	ai_days SMALLINT UNSIGNED NULL,
	due_at BIGINT NULL COMMENT 'when what is over is looked for next; of one that is looked at: when its lease ends; NULL: never',
	sweep_from BINARY(16) NULL COMMENT 'the first of the executions that are gone and whose steps and events may not be',
	sweep_to BINARY(16) NULL COMMENT 'the last of them',
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id),
	KEY due_at (due_at)
);

ALTER TABLE agent_message ADD KEY tenant_created_at (tenant_id, created_at);

-- A run stays as long as what it began last.
ALTER TABLE live_run ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0 COMMENT 'when it last began an execution, or was made';
UPDATE live_run SET used_at = created_at;
ALTER TABLE live_run DROP KEY created_at, ADD KEY used_at (used_at);

-- Which versions executions began with is on record with the version, to the day: looking for them would be walking
-- through all of the workflow's executions. Of those that are there already nobody knows: they count as used today.
ALTER TABLE workflow_version ADD COLUMN used_at BIGINT NULL COMMENT 'when an execution last began with it, up to a day off; NULL: none has';
UPDATE workflow_version SET used_at = UNIX_TIMESTAMP() * 1000;
ALTER TABLE workflow ADD COLUMN versions_due_at BIGINT NULL COMMENT 'when old versions are looked for; NULL: there are none',
	ADD KEY versions_due_at (versions_due_at);
UPDATE workflow SET versions_due_at = 0 WHERE version > 1;

ALTER TABLE workflow_schedule ADD COLUMN held_at BIGINT NULL COMMENT 'the time that next_at is for, while it waits for others to end';

-- How many executions of a tenant are under way: the sum of its rows. Each connection counts in a place of its own, so
-- that nobody waits for anybody: one row for a tenant would take its starts one after the other.
CREATE TABLE execution_live (
	tenant_id BINARY(16) NOT NULL,
	place TINYINT UNSIGNED NOT NULL COMMENT 'a connection''s: 0 to 63; 64: what was mended',
	live INT NOT NULL COMMENT 'begun less ended: what begins in one place may end in another',
	PRIMARY KEY (tenant_id, place)
);

-- :begin
CREATE TRIGGER execution_counts_begun AFTER INSERT ON execution FOR EACH ROW
BEGIN
	IF NEW.completed_at IS NULL THEN
		INSERT INTO execution_live (tenant_id, place, live) VALUES (NEW.tenant_id, CONNECTION_ID() % 64, 1)
		ON DUPLICATE KEY UPDATE live = live + 1;
	END IF;
END
-- :end

-- :begin
CREATE TRIGGER execution_counts_ended AFTER UPDATE ON execution FOR EACH ROW
BEGIN
	IF NEW.completed_at IS NOT NULL AND OLD.completed_at IS NULL THEN
		INSERT INTO execution_live (tenant_id, place, live) VALUES (NEW.tenant_id, CONNECTION_ID() % 64, -1)
		ON DUPLICATE KEY UPDATE live = live - 1;
	END IF;
END
-- :end

INSERT INTO execution_live (tenant_id, place, live)
SELECT tenant_id, 64, COUNT(*) FROM execution WHERE completed_at IS NULL GROUP BY tenant_id
ON DUPLICATE KEY UPDATE live = live + VALUES(live);
