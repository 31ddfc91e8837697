-- The audit trail. The pools may add rows and read them; nobody may change one.

-- :name audit_insert
-- :exec
-- :pools front vault worker ctl
-- :in audit_id:id at:time actor_kind:text(16) actor_id:id? action:text(64) outcome:text(16) code:text(64)? target_kind:text(16)? target_id:id? service:text(64)? address:text(45)? request_id:id? details:text(2000)?
INSERT INTO v_audit (audit_id, tenant_id, at, actor_kind, actor_id, action, outcome, code, target_kind, target_id,
	service, address, request_id, details)
VALUES (:audit_id, :tenant, :at, :actor_kind, :actor_id, :action, :outcome, :code, :target_kind, :target_id,
	:service, :address, :request_id, :details);

-- :name audit_insert_system
-- :exec
-- :pools front vault worker ctl
-- :global rows of nobody's tenant: v_audit_system lets in no other
-- :in audit_id:id at:time actor_kind:text(16) actor_id:id? action:text(64) outcome:text(16) code:text(64)? target_kind:text(16)? target_id:id? service:text(64)? address:text(45)? request_id:id? details:text(2000)?
INSERT INTO v_audit_system (audit_id, tenant_id, at, actor_kind, actor_id, action, outcome, code, target_kind,
	target_id, service, address, request_id, details)
VALUES (:audit_id, 0x00000000000000000000000000000000, :at, :actor_kind, :actor_id, :action, :outcome, :code,
	:target_kind, :target_id, :service, :address, :request_id, :details);

-- The rows of secrets' uses that change nothing else: of several requests in one statement.
-- :name audit_use
-- :group 24
-- :pools vault
-- :in credential_id:id audit_id:id at:time actor_kind:text(16) actor_id:id? action:text(64) service:text(64)? address:text(45)? request_id:id? details:text(2000)?
INSERT INTO v_audit (audit_id, tenant_id, at, actor_kind, actor_id, action, outcome, target_kind, target_id, service,
	address, request_id, details)
VALUES (:audit_id, :tenant, :at, :actor_kind, :actor_id, :action, 'ok', 'cred', :credential_id, :service, :address,
	:request_id, :details);

-- :name audit_list
-- :many
-- :pools front
-- :in from:id before:id actor:id? action:text(64)? service:text(64)? target:id? outcome:text(16)? limit:int
-- :out audit_id:id at:time actor_kind:text(16) actor_id:id? action:text(64) outcome:text(16) code:text(64)? target_kind:text(16)? target_id:id? service:text(64)? address:text(45)? request_id:id? details:text(2000)?
SELECT audit_id, at, actor_kind, actor_id, action, outcome, code, target_kind, target_id, service, address, request_id,
	details
FROM v_audit
WHERE tenant_id = :tenant AND audit_id >= :from AND audit_id < :before
	AND (:actor IS NULL OR actor_id = :actor)
	AND (:action IS NULL OR action = :action)
	AND (:service IS NULL OR service = :service)
	AND (:target IS NULL OR target_id = :target)
	AND (:outcome IS NULL OR outcome = :outcome)
	AND :live
ORDER BY audit_id DESC
LIMIT :limit;

-- How far one request looks: behind so many rows. Both ends are near each other, here and in the list that follows: from far
-- away MariaDB takes the index by its tenant alone and begins at the newest row, however far down the list :before is.
-- Whoever asks reads rows afterwards, and those with :live.
-- :name audit_horizon
-- :one
-- :pools front
-- :in from:id before:id rows:int
-- :out audit_id:id
SELECT audit_id
FROM v_audit
WHERE tenant_id = :tenant AND audit_id >= :from AND audit_id < :before
ORDER BY audit_id DESC
LIMIT 1 OFFSET :rows;

-- :name audit_horizon_of_target
-- :one
-- :pools front
-- :in target:id from:id before:id rows:int
-- :out audit_id:id
SELECT audit_id
FROM v_audit
WHERE tenant_id = :tenant AND target_id = :target AND audit_id >= :from AND audit_id < :before
ORDER BY audit_id DESC
LIMIT 1 OFFSET :rows;

-- :name audit_count_by_action
-- :many
-- :pools front
-- :in from:id before:id
-- :out action:text(64) count:int
SELECT action, COUNT(*) AS count
FROM v_audit
WHERE tenant_id = :tenant AND audit_id >= :from AND audit_id < :before AND :live
GROUP BY action
ORDER BY count DESC, action;

-- :name audit_count_by_actor
-- :many
-- :pools front
-- :in from:id before:id limit:int
-- :out actor_kind:text(16) actor_id:id? count:int
SELECT actor_kind, actor_id, COUNT(*) AS count
FROM v_audit
WHERE tenant_id = :tenant AND audit_id >= :from AND audit_id < :before AND :live
GROUP BY actor_kind, actor_id
ORDER BY count DESC, actor_kind, actor_id
LIMIT :limit;

-- :name audit_count_by_day
-- :many
-- :pools front
-- :in from:id before:id
-- :out day:int count:int
SELECT FLOOR(at / 86400000) AS day, COUNT(*) AS count
FROM v_audit
WHERE tenant_id = :tenant AND audit_id >= :from AND audit_id < :before AND :live
GROUP BY day
ORDER BY day DESC;

-- The chain: rows are numbered and tied together after they are committed.

-- :name audit_chain_lock
-- :one
-- :pools worker ctl
-- :global the chain runs through the rows of all tenants
-- :out locked:int?
SELECT GET_LOCK('latchwork.audit_chain', 10) AS locked;

-- :name audit_chain_unlock
-- :one
-- :pools worker ctl
-- :global the chain runs through the rows of all tenants
-- :out released:int?
SELECT RELEASE_LOCK('latchwork.audit_chain') AS released;

-- :name audit_chain_head
-- :one
-- :pools worker ctl
-- :global the chain runs through the rows of all tenants
-- :out position:int hash:bytes(32)
SELECT position, hash FROM audit_chain ORDER BY position DESC LIMIT 1;

-- Rows get their seq when they are inserted and are seen when they are committed, so a row may appear
-- behind sealed ones. What is older than any transaction may be is settled. The chain is read backwards, as far as the
-- first such row.
-- :name audit_settled_seq
-- :one
-- :scan the newest links of the chain, of seconds, or of ten minutes once in a while
-- :pools worker ctl
-- :global the chain runs through the rows of all tenants
-- :in before:time
-- :out seq:int
SELECT COALESCE((SELECT c.seq
	FROM audit_chain c
	STRAIGHT_JOIN audit a ON a.seq = c.seq
	WHERE a.at < :before
	ORDER BY c.position DESC
	LIMIT 1), 0) AS seq;

-- :name audit_unsealed
-- :many
-- :pools worker ctl
-- :global the chain runs through the rows of all tenants
-- :in after:int limit:int
-- :out seq:int audit_id:id tenant_id:id at:time actor_kind:text(16) actor_id:id? action:text(64) outcome:text(16) code:text(64)? target_kind:text(16)? target_id:id? service:text(64)? address:text(45)? request_id:id? details:text(2000)?
SELECT a.seq, a.audit_id, a.tenant_id, a.at, a.actor_kind, a.actor_id, a.action, a.outcome, a.code, a.target_kind,
	a.target_id, a.service, a.address, a.request_id, a.details
FROM audit a
LEFT JOIN audit_chain c ON c.seq = a.seq
WHERE a.seq > :after AND c.seq IS NULL
ORDER BY a.seq
LIMIT :limit;

-- Many links at once, as an array of [position, seq, hash in hex]: one by one, each would cost as much as its row did.
-- :name audit_chain_insert
-- :exec
-- :pools worker ctl
-- :scan the array is read once, from its beginning to its end
-- :global the chain runs through the rows of all tenants
-- :in key_generation:int links:json
INSERT INTO audit_chain (position, seq, key_generation, hash)
SELECT link.position, link.seq, :key_generation, UNHEX(link.hash)
FROM JSON_TABLE(:links, '$[*]' COLUMNS (position BIGINT PATH '$[0]', seq BIGINT PATH '$[1]', hash CHAR(64) PATH '$[2]')) link;

-- :name audit_chain_read
-- :many
-- :pools ctl
-- :global the chain runs through the rows of all tenants
-- :in after:int limit:int
-- :out position:int chain_seq:int key_generation:int hash:bytes(32) present:bool seq:int? audit_id:id? tenant_id:id? at:time? actor_kind:text(16)? actor_id:id? action:text(64)? outcome:text(16)? code:text(64)? target_kind:text(16)? target_id:id? service:text(64)? address:text(45)? request_id:id? details:text(2000)?
SELECT c.position, c.seq AS chain_seq, c.key_generation, c.hash, a.seq IS NOT NULL AS present, a.seq, a.audit_id,
	a.tenant_id, a.at, a.actor_kind, a.actor_id, a.action, a.outcome, a.code, a.target_kind, a.target_id, a.service,
	a.address, a.request_id, a.details
FROM audit_chain c
LEFT JOIN audit a ON a.seq = c.seq
WHERE c.position > :after
ORDER BY c.position
LIMIT :limit;

-- :name audit_count_unsealed
-- :one
-- :pools ctl
-- :global the chain runs through the rows of all tenants
-- :in after:int
-- :out count:int
SELECT COUNT(*) AS count
FROM audit a
LEFT JOIN audit_chain c ON c.seq = a.seq
WHERE a.seq > :after AND c.seq IS NULL;
