-- The front goes by a hook that it has read before as long as `updated_at` is the same: a connector that is switched off or
-- on says so there.
-- :begin
CREATE TRIGGER connector_switches_hook AFTER UPDATE ON connector FOR EACH ROW
BEGIN
	IF (NEW.status = 'disabled') <> (OLD.status = 'disabled') THEN
		UPDATE hook SET updated_at = updated_at + 1
		WHERE tenant_id = NEW.tenant_id AND connector_id = NEW.connector_id;
	END IF;
END
-- :end

-- Counted, so that a repeated delivery's answer waits for the disk as the first one's does.
ALTER TABLE event_key ADD COLUMN repeats INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'how often it came again';
