-- Idempotency keys: the row is inserted in the transaction of the effect, so it is there exactly when the
-- effect is. A second request meets the lock while the first is under way, and the answer afterwards.
-- An operation that calls out has its row committed before: status 0, a claim, is what a second request meets.

-- :name idempotency_claim
-- :exec
-- :pools front vault
-- :global the hash names the tenant and the actor
-- :nowait
-- :in key_hash:bytes(32) request_hash:bytes(32) created_at:time
INSERT INTO idempotency (key_hash, request_hash, status, created_at) VALUES (:key_hash, :request_hash, 0, :created_at);

-- :name idempotency_answer
-- :exec
-- :pools front vault
-- :global the hash names the tenant and the actor
-- :in key_hash:bytes(32) claimed_at:time status:int answer:bytes(1100000)
UPDATE idempotency SET status = :status, answer = :answer WHERE key_hash = :key_hash AND created_at = :claimed_at;

-- :name idempotency_release
-- :exec
-- :pools front vault
-- :global the hash names the tenant and the actor
-- :in key_hash:bytes(32) claimed_at:time
DELETE FROM idempotency WHERE key_hash = :key_hash AND created_at = :claimed_at AND status = 0;

-- :name idempotency_get
-- :one
-- :pools front vault
-- :global the hash names the tenant and the actor
-- :in key_hash:bytes(32)
-- :out request_hash:bytes(32) status:int answer:bytes(1100000)? created_at:time
SELECT request_hash, status, answer, created_at FROM idempotency WHERE key_hash = :key_hash;

-- What is kept too long, and a claim of somebody who never came back.
-- :name idempotency_expire_one
-- :exec
-- :pools front vault
-- :global the hash names the tenant and the actor
-- :in key_hash:bytes(32) before:time claimed_before:time
DELETE FROM idempotency
WHERE key_hash = :key_hash AND (created_at < :before OR status = 0 AND created_at < :claimed_before);

-- :name idempotency_expire
-- :exec
-- :pools worker
-- :global the rows of all tenants grow old
-- :in before:time limit:int
DELETE FROM idempotency WHERE created_at < :before ORDER BY created_at LIMIT :limit;
