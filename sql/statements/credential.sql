-- Credentials and their versions. What is hidden (deleted_at) is there for nobody but the purge.
-- Answers are made of `masked`; `ciphertext` is read where a secret is opened, and there only.

-- The answers of credential_get and credential_list as they were kept; NULL: to be made of the columns.
-- :name credential_answer
-- :one
-- :pools front vault
-- :in credential_id:id
-- :out answer:bytes(4000)?
SELECT c.answer
FROM v_credential_answer c
:live_join
WHERE c.tenant_id = :tenant AND c.credential_id = :credential_id;

-- Of several at once, of one caller.
-- :name credential_answer_some
-- :many
-- :pools front
-- :in id1:id id2:id id3:id id4:id id5:id id6:id id7:id id8:id
-- :out credential_id:id answer:bytes(4000)?
SELECT c.credential_id, c.answer
FROM v_credential_answer c
:live_join
WHERE c.tenant_id = :tenant AND c.credential_id IN (:id1, :id2, :id3, :id4, :id5, :id6, :id7, :id8);

-- :name credential_answers
-- :many
-- :pools front
-- :in before:id limit:int
-- :out answer:bytes(4000)?
SELECT c.answer
FROM v_credential_answer c
:live_join
WHERE c.tenant_id = :tenant AND c.credential_id < :before
ORDER BY c.credential_id DESC
LIMIT :limit;

-- :name credential_list
-- :many
-- :pools front
-- :in before:id type:text(32)? service:text(64)? status:text(32)? name:text(200)? limit:int
-- :out credential_id:id name:text(200) type:text(32) service:text(64)? key_service:text(64)? status:text(32) masked:json version:int created_by:id created_at:time updated_at:time expires_at:time? verify_status:text(16)? verify_error_code:text(64)? verify_message:text(500)? verify_account:text(1000)? verify_checked_at:time?
SELECT credential_id, name, type, service, key_service, status, masked, version, created_by, created_at, updated_at,
	expires_at, verify_status, verify_error_code, verify_message, verify_account, verify_checked_at
FROM v_credential
WHERE tenant_id = :tenant AND credential_id < :before AND deleted_at IS NULL
	AND (:type IS NULL OR type = :type)
	AND (:service IS NULL OR service = :service)
	AND (:status IS NULL OR status = :status)
	AND (:name IS NULL OR name = :name)
	AND :live
ORDER BY credential_id DESC
LIMIT :limit;

-- :name credential_get
-- :one
-- :pools front vault
-- :in credential_id:id
-- :out credential_id:id name:text(200) type:text(32) service:text(64)? key_service:text(64)? status:text(32) masked:json version:int created_by:id created_at:time updated_at:time expires_at:time? verify_status:text(16)? verify_error_code:text(64)? verify_message:text(500)? verify_account:text(1000)? verify_checked_at:time?
SELECT credential_id, name, type, service, key_service, status, masked, version, created_by, created_at, updated_at,
	expires_at, verify_status, verify_error_code, verify_message, verify_account, verify_checked_at
FROM v_credential
WHERE tenant_id = :tenant AND credential_id = :credential_id AND deleted_at IS NULL AND :live;

-- Each change begins here, so that changes of one credential come one after the other.
-- :name credential_lock
-- :one
-- :pools vault worker ctl
-- :in credential_id:id
-- :out credential_id:id name:text(200) type:text(32) service:text(64)? key_service:text(64)? status:text(32) masked:json version:int created_by:id created_at:time updated_at:time expires_at:time? verify_status:text(16)? verify_error_code:text(64)? verify_message:text(500)? verify_account:text(1000)? verify_checked_at:time?
SELECT credential_id, name, type, service, key_service, status, masked, version, created_by, created_at, updated_at,
	expires_at, verify_status, verify_error_code, verify_message, verify_account, verify_checked_at
FROM v_credential
WHERE tenant_id = :tenant AND credential_id = :credential_id AND deleted_at IS NULL
FOR UPDATE;

-- :name credential_insert
-- :exec
-- :pools vault worker ctl
-- :in credential_id:id name:text(200) type:text(32) service:text(64)? key_service:text(64)? status:text(32) masked:json version:int created_by:id created_at:time updated_at:time expires_at:time? verify_status:text(16)? verify_error_code:text(64)? verify_message:text(500)? verify_account:text(1000)? verify_checked_at:time? answer:bytes(4000)?
INSERT INTO v_credential (tenant_id, credential_id, name, type, service, key_service, status, masked, version,
	created_by, created_at, updated_at, expires_at, verify_status, verify_error_code, verify_message, verify_account,
	verify_checked_at, answer)
VALUES (:tenant, :credential_id, :name, :type, :service, :key_service, :status, :masked, :version,
	:created_by, :created_at, :updated_at, :expires_at, :verify_status, :verify_error_code, :verify_message,
	:verify_account, :verify_checked_at, :answer);

-- :name credential_update
-- :exec
-- :pools vault worker ctl
-- :in credential_id:id name:text(200) service:text(64)? key_service:text(64)? status:text(32) masked:json version:int updated_at:time expires_at:time? verify_status:text(16)? verify_error_code:text(64)? verify_message:text(500)? verify_account:text(1000)? verify_checked_at:time? answer:bytes(4000)?
UPDATE v_credential
SET name = :name, service = :service, key_service = :key_service, status = :status, masked = :masked,
	version = :version, updated_at = :updated_at, expires_at = :expires_at, verify_status = :verify_status,
	verify_error_code = :verify_error_code, verify_message = :verify_message, verify_account = :verify_account,
	verify_checked_at = :verify_checked_at, answer = :answer
WHERE tenant_id = :tenant AND credential_id = :credential_id AND deleted_at IS NULL;

-- Hidden now, destroyed after the retention time. A short-form key's service is free again.
-- :name credential_hide
-- :exec
-- :pools vault
-- :in credential_id:id deleted_at:time
UPDATE v_credential
SET deleted_at = :deleted_at, key_service = NULL, updated_at = GREATEST(:deleted_at, updated_at + 1)
WHERE tenant_id = :tenant AND credential_id = :credential_id AND deleted_at IS NULL;

-- The secret of one version, with the tenant's key that it is sealed under. One statement sees one moment:
-- a rotation of the tenant's key can't come between the two.
-- :name credential_open
-- :one
-- :pools vault worker ctl
-- :in credential_id:id version:int?
-- :out type:text(32) owner:id version:int key_generation:int ciphertext:bytes(1048576) root_key_id:text(32)? wrapped:bytes(128)?
SELECT c.type, c.created_by AS owner, s.version, s.key_generation, s.ciphertext, k.root_key_id, k.wrapped
FROM v_credential c
JOIN v_credential_secret s ON s.tenant_id = c.tenant_id AND s.credential_id = c.credential_id
	AND s.version = COALESCE(:version, c.version)
LEFT JOIN v_tenant_key k ON k.tenant_id = s.tenant_id AND k.generation = s.key_generation
WHERE c.tenant_id = :tenant AND c.credential_id = :credential_id AND c.deleted_at IS NULL;

-- The newest secret, with what a hand-out of a token must know besides.
-- :name credential_use
-- :one
-- :pools vault worker
-- :in credential_id:id
-- :out type:text(32) service:text(64)? status:text(32) owner:id version:int key_generation:int ciphertext:bytes(1048576) root_key_id:text(32)? wrapped:bytes(128)?
SELECT c.type, c.service, c.status, c.owner, c.version, c.key_generation, c.ciphertext, c.root_key_id, c.wrapped
FROM v_credential_newest c
:live_join
WHERE c.tenant_id = :tenant AND c.credential_id = :credential_id;

-- Of several at once, of one caller.
-- :name credential_use_some
-- :many
-- :pools vault
-- :in id1:id id2:id id3:id id4:id id5:id id6:id id7:id id8:id id9:id id10:id id11:id id12:id id13:id id14:id id15:id id16:id id17:id id18:id id19:id id20:id id21:id id22:id id23:id id24:id
-- :out credential_id:id type:text(32) service:text(64)? status:text(32) owner:id version:int key_generation:int ciphertext:bytes(1048576) root_key_id:text(32)? wrapped:bytes(128)?
SELECT c.credential_id, c.type, c.service, c.status, c.owner, c.version, c.key_generation, c.ciphertext, c.root_key_id,
	c.wrapped
FROM v_credential_newest c
:live_join
WHERE c.tenant_id = :tenant AND c.credential_id IN (:id1, :id2, :id3, :id4, :id5, :id6, :id7, :id8, :id9, :id10, :id11, :id12,
	:id13, :id14, :id15, :id16, :id17, :id18, :id19, :id20, :id21, :id22, :id23, :id24);

-- --- versions -----------------------------------------------------------------

-- :name version_insert
-- :exec
-- :pools vault worker ctl
-- :in credential_id:id version:int type:text(32) owner:id key_generation:int ciphertext:bytes(1048576) masked:json created_by:id created_at:time made_by:text(16)
INSERT INTO v_credential_secret (tenant_id, credential_id, version, type, owner, key_generation, ciphertext, masked,
	created_by, created_at, made_by)
VALUES (:tenant, :credential_id, :version, :type, :owner, :key_generation, :ciphertext, :masked, :created_by,
	:created_at, :made_by);

-- :name version_list
-- :many
-- :pools front
-- :in credential_id:id
-- :out version:int masked:json created_by:id created_at:time current:bool
SELECT v.version, v.masked, v.created_by, v.created_at, v.version = c.version AS current
FROM v_credential c
JOIN v_credential_version v ON v.tenant_id = c.tenant_id AND v.credential_id = c.credential_id
:live_join
WHERE c.tenant_id = :tenant AND c.credential_id = :credential_id AND c.deleted_at IS NULL
ORDER BY v.version DESC;

-- The newest one that is too many, if there is any: refreshes take numbers, too, so that numbers say nothing of how
-- many there are.
-- :name version_beyond
-- :one
-- :pools vault worker ctl
-- :in credential_id:id kept:int
-- :out version:int
SELECT version FROM v_credential_secret
WHERE tenant_id = :tenant AND credential_id = :credential_id
ORDER BY version DESC
LIMIT 1 OFFSET :kept;

-- :name version_prune
-- :exec
-- :pools vault worker ctl
-- :in credential_id:id through:int
DELETE FROM v_credential_secret
WHERE tenant_id = :tenant AND credential_id = :credential_id AND version <= :through;

-- Of the versions that refreshes made, only the newest is kept.
-- :name version_drop_refreshed
-- :exec
-- :pools vault worker
-- :in credential_id:id before:int
DELETE FROM v_credential_secret
WHERE tenant_id = :tenant AND credential_id = :credential_id AND version < :before AND made_by = 'refresh';

-- --- destruction --------------------------------------------------------------

-- The bytes are overwritten in their place before the rows go: a deleted row's page may live on for long.
-- :name version_overwrite
-- :exec
-- :pools vault worker
-- :in credential_id:id
UPDATE v_credential_secret SET ciphertext = REPEAT(CHAR(0), LENGTH(ciphertext)), masked = ''
WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- :name version_delete
-- :exec
-- :pools vault worker
-- :in credential_id:id
DELETE FROM v_credential_secret WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- :name credential_delete_row
-- :exec
-- :pools vault worker
-- :in credential_id:id
DELETE FROM v_credential WHERE tenant_id = :tenant AND credential_id = :credential_id;

-- :name credential_remains
-- :one
-- :pools vault worker
-- :in credential_id:id
-- :out remains:int
SELECT (SELECT COUNT(*) FROM v_credential_secret s WHERE s.tenant_id = :tenant AND s.credential_id = :credential_id)
	+ (SELECT COUNT(*) FROM v_credential c WHERE c.tenant_id = :tenant AND c.credential_id = :credential_id) AS remains;

-- :name credential_expired
-- :many
-- :pools worker
-- :global the retention time of all tenants' deleted credentials runs out
-- :in before:time limit:int
-- :out tenant_id:id credential_id:id
SELECT tenant_id, credential_id FROM credential WHERE deleted_at < :before ORDER BY deleted_at LIMIT :limit;

-- Its row, if it is hidden and its time is over; locked.
-- :name credential_lock_expired
-- :one
-- :pools worker
-- :in credential_id:id before:time
-- :out service:text(64)?
SELECT service FROM v_credential
WHERE tenant_id = :tenant AND credential_id = :credential_id AND deleted_at < :before
FOR UPDATE;

-- --- a tenant as a whole ------------------------------------------------------

-- :name credential_ids
-- :many
-- :pools ctl
-- :in after:id limit:int
-- :out credential_id:id
SELECT credential_id FROM v_credential
WHERE tenant_id = :tenant AND credential_id > :after AND deleted_at IS NULL
ORDER BY credential_id
LIMIT :limit;

-- :name credential_count
-- :one
-- :pools ctl
-- :out credentials:int
SELECT COUNT(*) AS credentials FROM v_credential WHERE tenant_id = :tenant AND deleted_at IS NULL;

-- Every version of one credential, the newest first, with the credential itself: one statement, one moment.
-- :name credential_export
-- :many
-- :pools ctl
-- :in credential_id:id
-- :out name:text(200) type:text(32) service:text(64)? key_service:text(64)? status:text(32) current:int owner:id created_at:time updated_at:time expires_at:time? verify_status:text(16)? verify_error_code:text(64)? verify_message:text(500)? verify_account:text(1000)? verify_checked_at:time? version:int version_by:id version_at:time key_generation:int ciphertext:bytes(1048576) root_key_id:text(32)? wrapped:bytes(128)?
SELECT c.name, c.type, c.service, c.key_service, c.status, c.version AS current, c.created_by AS owner, c.created_at,
	c.updated_at, c.expires_at, c.verify_status, c.verify_error_code, c.verify_message, c.verify_account,
	c.verify_checked_at, s.version, s.created_by AS version_by, s.created_at AS version_at, s.key_generation,
	s.ciphertext, k.root_key_id, k.wrapped
FROM v_credential c
JOIN v_credential_secret s ON s.tenant_id = c.tenant_id AND s.credential_id = c.credential_id
LEFT JOIN v_tenant_key k ON k.tenant_id = s.tenant_id AND k.generation = s.key_generation
WHERE c.tenant_id = :tenant AND c.credential_id = :credential_id AND c.deleted_at IS NULL
ORDER BY s.version DESC;

-- :name credential_forget_versions
-- :exec
-- :pools ctl
UPDATE v_credential_secret SET ciphertext = REPEAT(CHAR(0), LENGTH(ciphertext)), masked = ''
WHERE tenant_id = :tenant;

-- :name credential_forget_versions_rows
-- :exec
-- :pools ctl
DELETE FROM v_credential_secret WHERE tenant_id = :tenant;

-- :name credential_forget
-- :exec
-- :pools ctl
DELETE FROM v_credential WHERE tenant_id = :tenant;
