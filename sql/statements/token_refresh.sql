-- Tokens that we renew: when one is due, and who is at it. The tokens themselves are in the credential's versions.
--
-- Writers hold the lock on the credential's row (credential_lock), so these statements take none of their own. Intents are
-- timed by the database's clock: those of the hosts differ.

-- :name token_refresh_get
-- :one
-- :pools vault worker
-- :in credential_id:id
-- :out client_credential_id:id? expires_at:time? due_at:time? intent_id:id? intent_version:int? intent_at:time? intent_until:time? uncertain:bool failures:int failed_at:time? retry_at:time? error_code:text(64)? error_message:text(500)? at:time
SELECT client_credential_id, expires_at, due_at, intent_id, intent_version, intent_at, intent_until, uncertain, failures, failed_at,
	retry_at, error_code, error_message, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS at
FROM v_token_refresh
WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- For a credential that has no row yet.
-- :name token_refresh_clock
-- :one
-- :pools vault worker
-- :out at:time
SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS at;

-- --- an exchange ----------------------------------------------------------------

-- It is announced. When it dies, the background takes it up as soon as it is known to be dead (`recovered`).
-- :name token_intent_insert
-- :exec
-- :pools vault worker
-- :in credential_id:id client_credential_id:id? expires_at:time? intent_id:id intent_version:int lease_ms:int recovered:bool
INSERT INTO v_token_refresh (tenant_id, credential_id, client_credential_id, expires_at, intent_id, intent_version,
	intent_at, intent_until, due_at)
VALUES (:tenant, :credential_id, :client_credential_id, :expires_at, :intent_id, :intent_version,
	CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED), CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) + :lease_ms,
	IF(:recovered, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) + :lease_ms, NULL));

-- :name token_intent_update
-- :exec
-- :pools vault worker
-- :in credential_id:id client_credential_id:id? intent_id:id intent_version:int uncertain:bool lease_ms:int recovered:bool
UPDATE v_token_refresh
SET client_credential_id = :client_credential_id, intent_id = :intent_id, intent_version = :intent_version, uncertain = :uncertain,
	intent_at = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED),
	intent_until = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) + :lease_ms,
	due_at = IF(:recovered, LEAST(COALESCE(due_at, intent_until), intent_until), due_at)
WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- Nothing was sent. Its time isn't that of the stored token, whose own is lost with it.
-- :name token_intent_clear
-- :exec
-- :pools vault worker
-- :in credential_id:id intent_id:id
UPDATE v_token_refresh SET intent_id = NULL, intent_until = NULL, intent_at = NULL
WHERE tenant_id = :tenant AND credential_id = :credential_id AND intent_id = :intent_id;

-- --- how it ended -----------------------------------------------------------------

-- New tokens are stored: whatever was under way for older ones doesn't count any more.
-- :name token_refresh_stored
-- :exec
-- :pools vault worker
-- :in credential_id:id expires_at:time? due_at:time?
UPDATE v_token_refresh
SET expires_at = :expires_at, due_at = :due_at, intent_id = NULL, intent_until = NULL, uncertain = 0, failures = 0,
	failed_at = NULL, retry_at = NULL, error_code = NULL, error_message = NULL
WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- A consent: the tokens are another client's, perhaps.
-- :name token_refresh_forget
-- :exec
-- :pools vault worker
-- :in credential_id:id
DELETE FROM v_token_refresh WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- :name token_refresh_insert
-- :exec
-- :pools vault worker
-- :in credential_id:id client_credential_id:id? expires_at:time? due_at:time?
INSERT INTO v_token_refresh (tenant_id, credential_id, client_credential_id, expires_at, due_at, intent_at)
VALUES (:tenant, :credential_id, :client_credential_id, :expires_at, :due_at,
	CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED));

-- Tokens that a person stored. No client is known to have got them (version 0) unless they came in place of others.
-- :name token_refresh_expect
-- :exec
-- :pools vault worker ctl
-- :in credential_id:id due_at:time
INSERT INTO v_token_refresh (tenant_id, credential_id, intent_version, due_at)
VALUES (:tenant, :credential_id, 0, :due_at)
ON DUPLICATE KEY UPDATE due_at = VALUES(due_at);

-- It is tried again later. Without an intent the failure came before one was written. The generation that it is about
-- may be a newer one than was exchanged: a refresh token that came with a bad answer is kept.
-- :name token_refresh_failed
-- :exec
-- :pools vault worker
-- :in credential_id:id intent_id:id? intent_version:int uncertain:bool certain:bool wait_ms:int error_code:text(64) error_message:text(500)
UPDATE v_token_refresh
SET intent_id = NULL, intent_until = NULL,
	intent_version = IF(intent_version = 0 AND :intent_id IS NULL, 0, :intent_version),
	uncertain = IF(:certain, 0, uncertain OR :uncertain), failures = failures + 1,
	failed_at = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED),
	retry_at = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) + :wait_ms,
	due_at = IF(due_at IS NULL, NULL, retry_at), error_code = :error_code, error_message = :error_message
WHERE tenant_id = :tenant AND credential_id = :credential_id
	AND (intent_id = :intent_id OR (:intent_id IS NULL AND intent_id IS NULL));

-- It isn't tried again until somebody connects anew.
-- :name token_refresh_dead
-- :exec
-- :pools vault worker
-- :in credential_id:id error_code:text(64)? error_message:text(500)?
UPDATE v_token_refresh
SET intent_id = NULL, intent_until = NULL, due_at = NULL, retry_at = NULL, error_code = :error_code,
	error_message = :error_message, failures = failures + 1,
	failed_at = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)
WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- --- the background ---------------------------------------------------------------

-- What is due, the services by turns: one whose provider is slow or fails, with many that are due, keeps the others
-- from nothing.
-- :name token_refresh_list_due
-- :many
-- :pools worker
-- :global the tokens of all tenants are renewed in the background
-- :in limit:int
-- :out tenant_id:id credential_id:id service:text(64)?
SELECT d.tenant_id, d.credential_id, d.service
FROM (SELECT r.tenant_id, r.credential_id, c.service,
		ROW_NUMBER() OVER (PARTITION BY c.service ORDER BY r.due_at) AS turn
	FROM token_refresh r FORCE INDEX (due_at)
	STRAIGHT_JOIN credential c FORCE INDEX (PRIMARY) ON c.tenant_id = r.tenant_id AND c.credential_id = r.credential_id
		AND c.deleted_at IS NULL
	WHERE r.due_at <= CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)
		AND (r.intent_until IS NULL OR r.intent_until <= CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))) d
ORDER BY d.turn
LIMIT :limit;
