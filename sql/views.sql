-- What the pools see. Run again after every migration.
--
-- MariaDB has no row-level security, so the pools' accounts have no grant on a
-- tenant's tables, only on these views of the session's tenant. lw_tenant() is
-- DETERMINISTIC so that the optimiser takes it as a constant and keeps the
-- index. This guards against our own mistakes, not against somebody who already
-- runs SQL: such a person can set @lw_tenant too.

CREATE OR REPLACE FUNCTION lw_tenant() RETURNS BINARY(16) DETERMINISTIC NO SQL SQL SECURITY DEFINER RETURN @lw_tenant;

CREATE OR REPLACE VIEW v_tenant AS
SELECT tenant_id, name, key_generation, members_version, created_at, deleted_at
FROM tenant WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_tenant_retention AS
SELECT tenant_id, event_days, execution_days, ai_days, due_at, sweep_from, sweep_to, updated_at
FROM tenant_retention WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_tenant_key AS
SELECT tenant_id, generation, root_key_id, wrapped, created_at
FROM tenant_key WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_membership AS
SELECT tenant_id, user_id, role, created_at
FROM membership WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_session AS
SELECT session_id, user_id, tenant_id, role, address, user_agent, created_at, last_used_at, expires_at, revoked_at
FROM session WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_issuer_join AS
SELECT tenant_id, user_id, created_at
FROM issuer_join WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_invitation AS
SELECT tenant_id, invitation_id, email, role, token_hash, invited_by, created_at, expires_at, accepted_at
FROM invitation WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_api_token AS
SELECT tenant_id, token_id, name, secret_hash, scopes, created_by, created_at, expires_at, last_used_at, revoked_at
FROM api_token WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_credential AS
SELECT tenant_id, credential_id, name, type, service, key_service, status, masked, version, created_by, created_at,
	updated_at, expires_at, verify_status, verify_error_code, verify_message, verify_account, verify_checked_at, deleted_at,
	answer
FROM credential WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

-- What the reads that are run most need, and no more. They all go by the primary key: the hint spares
-- the optimiser a look at the other indexes.
CREATE OR REPLACE VIEW v_credential_answer AS
SELECT tenant_id, credential_id, answer
FROM credential USE INDEX (PRIMARY) WHERE tenant_id = lw_tenant() AND deleted_at IS NULL WITH CHECK OPTION;

-- The history without its ciphertext: all that the front may see of it.
CREATE OR REPLACE VIEW v_credential_version AS
SELECT tenant_id, credential_id, version, type, key_generation, masked, created_by, created_at
FROM credential_version WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_credential_secret AS
SELECT tenant_id, credential_id, version, type, owner, key_generation, ciphertext, masked, created_by, created_at, made_by
FROM credential_version WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

-- The newest secret with all that opens it, as one view: of three that are joined, each would call lw_tenant() for itself.
CREATE OR REPLACE VIEW v_credential_newest AS
SELECT c.tenant_id, c.credential_id, c.type, c.service, c.status, c.created_by AS owner, s.version, s.key_generation,
	s.ciphertext, k.root_key_id, k.wrapped
FROM credential c USE INDEX (PRIMARY)
JOIN credential_version s USE INDEX (PRIMARY)
	ON s.tenant_id = c.tenant_id AND s.credential_id = c.credential_id AND s.version = c.version
LEFT JOIN tenant_key k USE INDEX (PRIMARY) ON k.tenant_id = s.tenant_id AND k.generation = s.key_generation
WHERE c.tenant_id = lw_tenant() AND c.deleted_at IS NULL;

CREATE OR REPLACE VIEW v_connector AS
SELECT tenant_id, connector_id, connector_type, display_name, auth, status, credential_id, owns_credential, account_id, account_label, scopes,
	limited, sync_frequency, last_sync_at, next_sync_at, next_check_at, error_code, error_message, error_at, created_by,
	created_at, updated_at
FROM connector WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

-- Connectors with what their intake address is derived from. Joined as views, v_hook would call lw_tenant() for each row.
CREATE OR REPLACE VIEW v_connector_hook AS
SELECT c.tenant_id, c.connector_id, c.connector_type, c.display_name, c.auth, c.status, c.credential_id, c.owns_credential,
	c.account_id, c.account_label, c.scopes, c.limited, c.sync_frequency, c.last_sync_at, c.next_sync_at, c.next_check_at,
	c.error_code, c.error_message, c.error_at, c.created_by, c.created_at, c.updated_at,
	h.secret_generation AS hook_generation, h.root_key_id AS hook_root_key
FROM connector c
LEFT JOIN hook h ON h.tenant_id = c.tenant_id AND h.connector_id = c.connector_id
WHERE c.tenant_id = lw_tenant();

CREATE OR REPLACE VIEW v_oauth_state AS
SELECT state_hash, tenant_id, user_id, connector_type, browser_hash, root_key_id, client_credential_id, connector_id,
	field_values, scopes, return_to, created_at, expires_at, used_at
FROM oauth_state WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_token_refresh AS
SELECT tenant_id, credential_id, client_credential_id, expires_at, due_at, intent_id, intent_version, intent_at,
	intent_until, uncertain, failures, failed_at, retry_at, error_code, error_message
FROM token_refresh WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_service_setting AS
SELECT tenant_id, service, enabled, credential_id, updated_by, updated_at
FROM service_setting WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_sheet_mapping AS
SELECT tenant_id, service, spreadsheet_id, sheet_name, updated_by, updated_at
FROM sheet_mapping WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_job AS
SELECT tenant_id, job_id, queue, kind, state, run_at, attempts, lease, worker, subject_id, once_key, payload, error_code,
	error_message, created_at, started_at
FROM job WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_job_service AS
SELECT tenant_id, job_id, queue, kind, state, run_at, attempts, lease, worker, subject_id, once_key, payload, error_code,
	error_message, created_at, started_at
FROM job WHERE tenant_id = 0x00000000000000000000000000000000 WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_job_history AS
SELECT tenant_id, job_id, queue, kind, attempts, subject_id, created_at, finished_at
FROM job_history WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_hook AS
SELECT tenant_id, connector_id, connector_type, secret_hash, secret_generation, root_key_id, due_at, check_keys, stored_keys,
	updated_at
FROM hook WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_event AS
SELECT tenant_id, event_id, connector_id, provider, type, status, provider_event_id, account, subject_kind, subject_id,
	occurred_at, received_at, processed_at, headers, body
FROM event WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

-- Lists, here and below, each with its index named: by itself MariaDB walks the tenant's rows until it has met enough of one
-- that has been quiet for long, and begins at the newest of them for a page that is far down.
CREATE OR REPLACE VIEW v_event_of_connector AS
SELECT tenant_id, event_id, connector_id, provider, type, status, provider_event_id, account, subject_kind, subject_id,
	occurred_at, received_at, processed_at
FROM event FORCE INDEX (connector) WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_subscription AS
SELECT tenant_id, subscription_id, url, event_types, connector_id, active, secret, error_code, error_at, created_by, created_at,
	updated_at
FROM subscription WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_sync_run AS
SELECT tenant_id, sync_id, connector_id, job_id, state, collection, page, next_page, pages, fetched, created, updated, unchanged,
	skipped, error_code, error_message, queued_at, started_at, finished_at
FROM sync_run WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_sync_of_connector AS
SELECT tenant_id, sync_id, connector_id, job_id, state, collection, pages, fetched, created, updated, unchanged, skipped,
	error_code, error_message, queued_at, started_at, finished_at
FROM sync_run FORCE INDEX (connector) WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_record AS
SELECT tenant_id, connector_id, collection, external_id, record_id, body, body_hash, provider_updated_at, first_seen_at,
	updated_at
FROM record WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_record_newest AS
SELECT tenant_id, connector_id, collection, external_id, record_id, body, provider_updated_at, first_seen_at, updated_at
FROM record FORCE INDEX (newest) WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_record_of_collection AS
SELECT tenant_id, connector_id, collection, external_id, record_id, body, provider_updated_at, first_seen_at, updated_at
FROM record FORCE INDEX (newest_of_collection) WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_workflow AS
SELECT tenant_id, workflow_id, name, description, active, version, created_by, created_at, updated_at, deleted_at,
	versions_due_at
FROM workflow WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_workflow_version AS
SELECT tenant_id, workflow_id, version, definition, created_by, created_at, used_at
FROM workflow_version WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_workflow_listener AS
SELECT tenant_id, workflow_id, position, connector_id, provider, event_types
FROM workflow_listener WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_workflow_trigger AS
SELECT tenant_id, trigger_id, workflow_id, name, method, auth_type, auth_header, secret, active,
	rate_per_minute, respond, created_by, created_at, updated_at
FROM workflow_trigger WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_workflow_schedule AS
SELECT tenant_id, schedule_id, workflow_id, cron, time_zone, missed, input_data, active, next_at, last_at,
	created_by, created_at, updated_at, held_at
FROM workflow_schedule WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_execution AS
SELECT tenant_id, execution_id, workflow_id, version, status, turn, events, source, source_id, parent_id,
	parent_step, depth, root_id, family, only_step, run_id, awaited, input_data, request, output_data, output_step,
	error_code, error_message, error_step, started_by, started_at, completed_at
FROM execution WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_execution_of_workflow AS
SELECT tenant_id, execution_id, workflow_id, status
FROM execution FORCE INDEX (workflow) WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_execution_live AS
SELECT tenant_id, place, live
FROM execution_live WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_execution_step AS
SELECT tenant_id, execution_id, step_id, status, attempt, job_id, wake_at, state, output_data, error_code,
	error_message, started_at, completed_at
FROM execution_step WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_execution_event AS
SELECT tenant_id, execution_id, first, events
FROM execution_event WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_execution_signal AS
SELECT tenant_id, execution_id, signal_id, kind, step_id, payload, created_at, taken_at
FROM execution_signal WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_live_run AS
SELECT tenant_id, run_id, workflow_id, execution_id, status, created_by, created_at, ended_at, used_at
FROM live_run WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_agent AS
SELECT tenant_id, agent_id, name, description, provider, model, credential_id, instructions, use_knowledge,
	connectors, fallback, created_by, created_at, updated_at
FROM agent WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_agent_message AS
SELECT tenant_id, conversation_id, message_id, agent_id, who, text, created_at
FROM agent_message WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_ai_usage AS
SELECT tenant_id, usage_id, provider, model, source, source_id, tokens_in, tokens_out, outcome, duration_ms,
	created_at
FROM ai_usage WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_knowledge AS
SELECT tenant_id, knowledge_id, kind, title, source, status, error_code, error_message, enabled, characters,
	created_by, created_at, updated_at
FROM knowledge WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_knowledge_file AS
SELECT tenant_id, knowledge_id, body
FROM knowledge_file WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_knowledge_passage AS
SELECT tenant_id, knowledge_id, position, text, words
FROM knowledge_passage WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_audit AS
SELECT seq, audit_id, tenant_id, at, actor_kind, actor_id, action, outcome, code, target_kind, target_id, service,
	address, request_id, details
FROM audit WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

-- Rows of nobody's tenant: a login for an unknown address, work of the service itself.
CREATE OR REPLACE VIEW v_audit_system AS
SELECT seq, audit_id, tenant_id, at, actor_kind, actor_id, action, outcome, code, target_kind, target_id, service,
	address, request_id, details
FROM audit WHERE tenant_id = 0x00000000000000000000000000000000 WITH CHECK OPTION;

-- People without their password hashes: the front never needs one.
CREATE OR REPLACE VIEW v_user AS
SELECT user_id, email, email_key, name, issuer, subject, email_verified_at, disabled_at, created_at, updated_at
FROM user;

-- The one way in for an event: known already, or stored with its job and its audit row; one statement, one commit.
-- The answer is the id of the stored event, this one's or the earlier one's; NULL when the hook isn't as the caller
-- saw it: then nothing was stored, and it has to look again.
-- :begin
CREATE OR REPLACE FUNCTION lw_intake(
	in_tenant BINARY(16), in_connector BINARY(16), in_hook_state BIGINT, in_event BINARY(16), in_key BINARY(32),
	in_provider VARCHAR(64), in_type VARCHAR(128), in_provider_event VARCHAR(255), in_account VARCHAR(255),
	in_subject_kind VARCHAR(64), in_subject VARCHAR(255), in_occurred BIGINT, in_headers VARCHAR(4000),
	in_body MEDIUMBLOB, in_job BINARY(16), in_audit BINARY(16), in_address VARCHAR(45), in_request BINARY(16),
	in_now BIGINT)
RETURNS BINARY(16) MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
	IF NOT EXISTS (SELECT 1 FROM hook WHERE tenant_id = in_tenant AND connector_id = in_connector
			AND updated_at = in_hook_state) THEN
		RETURN NULL;
	END IF;
	-- It waits for whoever stores the same event right now, with the exclusive lock from the start: of several that wait
	-- with a shared one, as INSERT IGNORE does, each would keep the others from reading the row afterwards.
	-- And it writes: InnoDB lets go of the first one's locks before its commit is on disk, and a commit that wrote
	-- something waits until all before it is. A repeated one is so never acknowledged ahead of what it repeats.
	SET @lw_earlier = NULL;
	INSERT INTO event_key (connector_id, key_hash, event_id) VALUES (in_connector, in_key, in_event)
	ON DUPLICATE KEY UPDATE repeats = repeats + ((@lw_earlier := event_key.event_id) IS NOT NULL);
	IF @lw_earlier IS NOT NULL THEN
		RETURN @lw_earlier;
	END IF;
	INSERT INTO event (tenant_id, event_id, connector_id, provider, type, status, provider_event_id, account,
		subject_kind, subject_id, occurred_at, received_at, headers, body)
	VALUES (in_tenant, in_event, in_connector, in_provider, in_type, 'received', in_provider_event, in_account,
		in_subject_kind, in_subject, in_occurred, in_now, in_headers, in_body);
	INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
	VALUES (in_tenant, in_job, 'event', 'event_process', 'live', in_now, in_event, '{}', in_now);
	INSERT INTO audit (audit_id, tenant_id, at, actor_kind, action, outcome, target_kind, target_id, service, address,
		request_id)
	VALUES (in_audit, in_tenant, in_now, 'nobody', 'event.receive', 'ok', 'evt', in_event, in_provider, in_address,
		in_request);
	RETURN in_event;
END
-- :end

-- Puts an execution on record with the job that carries it, whose id is the execution's own. The answer: 1; 0 when the
-- workflow is paused and nobody asks by hand; 2 when those around it have started 200 already; 3 when so many of the tenant's
-- are under way that no other may begin; NULL when there is no such workflow, or no such version any more.
-- What is counted is what was committed: those who begin in the same moment may pass the limit together. What others have
-- begun isn't held to it here: with them it would be stopped half-way (see begin_workflow in wait.c).
-- :begin
CREATE OR REPLACE FUNCTION lw_start(
	in_tenant BINARY(16), in_workflow BINARY(16), in_version INT UNSIGNED, in_by_hand TINYINT, in_execution BINARY(16),
	in_source VARCHAR(12), in_source_id BINARY(16), in_parent BINARY(16), in_parent_step VARCHAR(128) CHARACTER SET ascii, in_depth TINYINT,
	in_only_step VARCHAR(128) CHARACTER SET ascii, in_run BINARY(16), in_awaited TINYINT, in_input MEDIUMTEXT, in_request MEDIUMTEXT,
	in_user BINARY(16), in_most INT, in_now BIGINT)
RETURNS TINYINT MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
	DECLARE wanted INT UNSIGNED;
	DECLARE is_active TINYINT;
	DECLARE used BIGINT;
	DECLARE root BINARY(16);
	SELECT v.version, w.active, v.used_at INTO wanted, is_active, used FROM workflow w
	JOIN workflow_version v ON v.tenant_id = w.tenant_id AND v.workflow_id = w.workflow_id
		AND v.version = COALESCE(in_version, w.version)
	WHERE w.tenant_id = in_tenant AND w.workflow_id = in_workflow AND w.deleted_at IS NULL;
	IF wanted IS NULL THEN
		RETURN NULL;
	END IF;
	IF is_active = 0 AND in_by_hand = 0 THEN
		RETURN 0;
	END IF;
	IF in_parent IS NULL AND in_tenant = lw_tenant()
		AND (SELECT SUM(live) FROM execution_live WHERE tenant_id = in_tenant) >= in_most THEN
		RETURN 3;
	END IF;
	-- Once a day for each version. One that may be removed hasn't been used for longer: who removes it, and who begins with
	-- it, meet here.
	IF used IS NULL OR used < in_now - 86400000 THEN
		UPDATE workflow_version SET used_at = GREATEST(in_now, COALESCE(used_at, 0) + 1)
		WHERE tenant_id = in_tenant AND workflow_id = in_workflow AND version = wanted;
		IF ROW_COUNT() = 0 THEN
			RETURN NULL;
		END IF;
	END IF;
	IF in_parent IS NOT NULL THEN
		SELECT COALESCE(root_id, execution_id) INTO root FROM execution
		WHERE tenant_id = in_tenant AND execution_id = in_parent;
		UPDATE execution SET family = family + 1 WHERE tenant_id = in_tenant AND execution_id = root AND family < 200;
		IF ROW_COUNT() = 0 THEN
			RETURN 2;
		END IF;
	END IF;
	INSERT INTO execution (tenant_id, execution_id, workflow_id, version, status, source, source_id, parent_id, parent_step,
		depth, root_id, only_step, run_id, awaited, input_data, request, started_by, started_at)
	VALUES (in_tenant, in_execution, in_workflow, wanted, 'queued', in_source, in_source_id,
		in_parent, in_parent_step, in_depth, root, in_only_step, in_run, in_awaited, in_input, in_request, in_user, in_now);
	INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
	VALUES (in_tenant, in_execution, 'automation', 'execution_run', 'live', in_now, in_execution, '{}', in_now);
	RETURN 1;
END
-- :end

-- One turn of an execution: what has changed of its steps, what happened, what becomes of it, of the job in hand and of
-- its parent, all at once. The answer: 1; 0 when it isn't any more as the caller saw it, and then nothing has changed.
-- It fails when the caller's lease is over. Of an execution that somebody watches each job says from which event on its holder
-- may have died before it told what was committed: in_tell_from of the one in hand, behind this turn of those that are new.
-- :begin
CREATE OR REPLACE FUNCTION lw_turn(
	in_tenant BINARY(16), in_execution BINARY(16), in_turn INT UNSIGNED, in_events INT UNSIGNED, in_status VARCHAR(12),
	in_steps MEDIUMTEXT, in_happened INT UNSIGNED, in_happening MEDIUMTEXT, in_output MEDIUMTEXT,
	in_output_step VARCHAR(128) CHARACTER SET ascii, in_error_code VARCHAR(64), in_error_message VARCHAR(500), in_error_step VARCHAR(128) CHARACTER SET ascii,
	in_completed BIGINT, in_parent BINARY(16), in_parent_step VARCHAR(128) CHARACTER SET ascii, in_job BINARY(16), in_lease BIGINT UNSIGNED,
	in_fate VARCHAR(8), in_queue VARCHAR(16), in_kind VARCHAR(32), in_run_at BIGINT, in_jobs MEDIUMTEXT,
	in_tell_from INT UNSIGNED, in_now BIGINT)
RETURNS TINYINT MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
	DECLARE job_rows INT DEFAULT 1;
	UPDATE execution SET turn = turn + 1, events = in_events + in_happened, status = in_status, output_data = in_output,
		output_step = in_output_step, error_code = in_error_code, error_message = in_error_message,
		error_step = in_error_step, completed_at = in_completed
	WHERE tenant_id = in_tenant AND execution_id = in_execution AND turn = in_turn AND events = in_events;
	IF ROW_COUNT() = 0 THEN
		RETURN 0;
	END IF;
	IF in_steps <> '' THEN
		INSERT INTO execution_step (tenant_id, execution_id, step_id, status, attempt, job_id, wake_at, state, output_data,
			error_code, error_message, started_at, completed_at)
		SELECT in_tenant, in_execution, id, status, attempt, UNHEX(job), wake, state, output, code, message, started, completed
		FROM JSON_TABLE(in_steps, '$[*]' COLUMNS (
			id VARCHAR(128) PATH '$.i', status VARCHAR(12) PATH '$.s', attempt INT PATH '$.a', job CHAR(32) PATH '$.j',
			wake BIGINT PATH '$.w', state MEDIUMTEXT PATH '$.t', output MEDIUMTEXT PATH '$.o', code VARCHAR(64) PATH '$.c',
			message VARCHAR(500) PATH '$.m', started BIGINT PATH '$.b', completed BIGINT PATH '$.e')) AS changed
		ON DUPLICATE KEY UPDATE status = VALUES(status), attempt = VALUES(attempt), job_id = VALUES(job_id),
			wake_at = VALUES(wake_at), state = VALUES(state), output_data = VALUES(output_data),
			error_code = VALUES(error_code), error_message = VALUES(error_message), started_at = VALUES(started_at),
			completed_at = VALUES(completed_at);
	END IF;
	IF in_happened > 0 THEN
		INSERT INTO execution_event (tenant_id, execution_id, first, events)
		VALUES (in_tenant, in_execution, in_events + 1, in_happening);
	END IF;
	IF in_jobs <> '' THEN
		INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
		SELECT in_tenant, UNHEX(id), queue, kind, 'live', run_at, in_execution,
			IF(in_tell_from IS NULL, '{}', CONCAT('{"tell_from":', in_events + in_happened + 1, '}')), in_now
		FROM JSON_TABLE(in_jobs, '$[*]' COLUMNS (
			id CHAR(32) PATH '$.j', queue VARCHAR(16) PATH '$.q', kind VARCHAR(32) PATH '$.k', run_at BIGINT PATH '$.r')) AS new_job;
	END IF;
	IF in_parent IS NOT NULL THEN
		UPDATE execution SET turn = turn + 1
		WHERE tenant_id = in_tenant AND execution_id = in_parent AND completed_at IS NULL;
		UPDATE job JOIN execution_step step ON step.tenant_id = job.tenant_id AND step.job_id = job.job_id
		SET job.run_at = in_now
		WHERE step.tenant_id = in_tenant AND step.execution_id = in_parent AND step.step_id = in_parent_step
			AND job.worker IS NULL AND job.state = 'live';
	END IF;
	IF in_fate = 'end' THEN
		INSERT INTO job_history (tenant_id, job_id, queue, kind, attempts, subject_id, created_at, finished_at)
		SELECT tenant_id, job_id, queue, kind, attempts, subject_id, created_at, in_now FROM job
		WHERE tenant_id = in_tenant AND job_id = in_job;
		DELETE FROM job WHERE tenant_id = in_tenant AND job_id = in_job AND lease = in_lease AND state = 'live';
		SET job_rows = ROW_COUNT();
	ELSEIF in_fate = 'hold' THEN
		UPDATE job SET attempts = 1, run_at = in_run_at,
			payload = IF(in_tell_from IS NULL, payload, CONCAT('{"tell_from":', in_tell_from, '}'))
		WHERE tenant_id = in_tenant AND job_id = in_job AND lease = in_lease AND state = 'live';
		SET job_rows = EXISTS (SELECT 1 FROM job WHERE tenant_id = in_tenant AND job_id = in_job AND lease = in_lease);
	ELSEIF in_fate = 'pause' THEN
		UPDATE job SET attempts = 0, worker = NULL, queue = in_queue, kind = in_kind, run_at = in_run_at,
			payload = IF(in_tell_from IS NULL, payload, CONCAT('{"tell_from":', in_tell_from, '}'))
		WHERE tenant_id = in_tenant AND job_id = in_job AND lease = in_lease AND state = 'live';
		SET job_rows = ROW_COUNT();
	END IF;
	IF job_rows = 0 THEN
		SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the lease is over';
	END IF;
	RETURN 1;
END
-- :end

-- The partitions of one table, whose ids begin with their time: a day each, named by it. Makes those of today and the two
-- days to come out of `pmax`, which takes what comes later (and all that came before there was any), and drops, without
-- looking at a row, those of days that are longer over than that. It waits a second for the table at most, of which
-- somebody may be making a backup: others wait behind it, and there are two days to try again.
-- :begin
CREATE OR REPLACE PROCEDURE lw_partition(in_table VARCHAR(64), in_today DATE, in_keep_days INT)
MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
	DECLARE newest VARCHAR(64);
	DECLARE over_with TEXT;
	DECLARE made TEXT DEFAULT '';
	DECLARE next_day DATE DEFAULT in_today;
	SELECT MAX(partition_name) INTO newest FROM information_schema.partitions
	WHERE table_schema = DATABASE() AND table_name = in_table AND partition_name <> 'pmax';
	IF newest IS NOT NULL THEN
		SET next_day = GREATEST(next_day, STR_TO_DATE(newest, 'p%Y%m%d') + INTERVAL 1 DAY);
	END IF;
	WHILE next_day <= in_today + INTERVAL 2 DAY DO
		SET made = CONCAT(made, 'PARTITION p', DATE_FORMAT(next_day, '%Y%m%d'), ' VALUES LESS THAN (0x',
			RPAD(LPAD(HEX((DATEDIFF(next_day, '1970-01-01') + 1) * 86400000), 12, '0'), 32, '0'), '), ');
		SET next_day = next_day + INTERVAL 1 DAY;
	END WHILE;
	IF made <> '' THEN
		EXECUTE IMMEDIATE CONCAT('ALTER TABLE ', in_table, ' WAIT 1 REORGANIZE PARTITION pmax INTO (', made,
			'PARTITION pmax VALUES LESS THAN (MAXVALUE))');
	END IF;
	SELECT GROUP_CONCAT(partition_name) INTO over_with FROM information_schema.partitions
	WHERE table_schema = DATABASE() AND table_name = in_table AND partition_name <> 'pmax'
		AND partition_name < DATE_FORMAT(in_today - INTERVAL in_keep_days DAY, 'p%Y%m%d');
	IF over_with IS NOT NULL THEN
		EXECUTE IMMEDIATE CONCAT('ALTER TABLE ', in_table, ' WAIT 1 DROP PARTITION ', over_with);
	END IF;
END
-- :end

-- What the worker may call: it can't alter tables by itself. Of several at a time one does it.
-- :begin
CREATE OR REPLACE PROCEDURE lw_partitions(in_now BIGINT, in_event_days INT, in_job_days INT, in_execution_days INT)
MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
	DECLARE today DATE DEFAULT DATE('1970-01-01') + INTERVAL in_now DIV 86400000 DAY;
	DECLARE EXIT HANDLER FOR SQLEXCEPTION
	BEGIN
		DO RELEASE_LOCK('lw_partitions');
		RESIGNAL;
	END;
	IF GET_LOCK('lw_partitions', 0) THEN
		CALL lw_partition('event', today, in_event_days);
		CALL lw_partition('job_history', today, in_job_days);
		CALL lw_partition('execution', today, in_execution_days);
		CALL lw_partition('execution_step', today, in_execution_days);
		CALL lw_partition('execution_event', today, in_execution_days);
		CALL lw_partition('execution_signal', today, in_execution_days);
		DO RELEASE_LOCK('lw_partitions');
	END IF;
END
-- :end
