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

CREATE OR REPLACE VIEW v_connector AS
SELECT tenant_id, connector_id, connector_type, display_name, auth, status, credential_id, owns_credential, account_id, account_label, scopes,
	limited, sync_frequency, last_sync_at, next_sync_at, next_check_at, error_code, error_message, error_at, created_by,
	created_at, updated_at
FROM connector WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

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

CREATE OR REPLACE VIEW v_subscription AS
SELECT tenant_id, subscription_id, url, event_types, connector_id, active, secret, error_code, error_at, created_by, created_at,
	updated_at
FROM subscription WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_sync_run AS
SELECT tenant_id, sync_id, connector_id, job_id, state, collection, page, next_page, pages, fetched, created, updated, unchanged,
	skipped, error_code, error_message, queued_at, started_at, finished_at
FROM sync_run WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

CREATE OR REPLACE VIEW v_record AS
SELECT tenant_id, connector_id, collection, external_id, record_id, body, body_hash, provider_updated_at, first_seen_at,
	updated_at
FROM record WHERE tenant_id = lw_tenant() WITH CHECK OPTION;

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
	DECLARE earlier BINARY(16);
	IF NOT EXISTS (SELECT 1 FROM hook WHERE tenant_id = in_tenant AND connector_id = in_connector
			AND updated_at = in_hook_state) THEN
		RETURN NULL;
	END IF;
	INSERT IGNORE INTO event_key (connector_id, key_hash, event_id) VALUES (in_connector, in_key, in_event);
	IF ROW_COUNT() = 0 THEN
		-- A locking read sees what the insert has just waited for.
		SELECT event_id INTO earlier FROM event_key WHERE connector_id = in_connector AND key_hash = in_key LOCK IN SHARE MODE;
		RETURN earlier;
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

-- The partitions of one table, whose ids begin with their time: a day each, named by it. Makes those of today and the two
-- days to come out of `pmax`, which takes what comes later (and all that came before there was any), and drops, without
-- looking at a row, those of days that are longer over than that. It waits five seconds for the table at most: others
-- would wait behind it.
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
		EXECUTE IMMEDIATE CONCAT('ALTER TABLE ', in_table, ' WAIT 5 REORGANIZE PARTITION pmax INTO (', made,
			'PARTITION pmax VALUES LESS THAN (MAXVALUE))');
	END IF;
	SELECT GROUP_CONCAT(partition_name) INTO over_with FROM information_schema.partitions
	WHERE table_schema = DATABASE() AND table_name = in_table AND partition_name <> 'pmax'
		AND partition_name < DATE_FORMAT(in_today - INTERVAL in_keep_days DAY, 'p%Y%m%d');
	IF over_with IS NOT NULL THEN
		EXECUTE IMMEDIATE CONCAT('ALTER TABLE ', in_table, ' WAIT 5 DROP PARTITION ', over_with);
	END IF;
END
-- :end

-- What the worker may call: it can't alter tables by itself. Of several at a time one does it.
-- :begin
CREATE OR REPLACE PROCEDURE lw_partitions(in_now BIGINT, in_event_days INT, in_job_days INT)
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
		DO RELEASE_LOCK('lw_partitions');
	END IF;
END
-- :end
