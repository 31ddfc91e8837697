-- Failed logins, counted for an account and for an account from one address.

-- Makes the row if need be and locks it: tries for one account come one after the other.
-- :name throttle_lock
-- :exec
-- :pools vault
-- :in subject_hash:bytes(32)
INSERT INTO login_throttle (subject_hash, failures, window_started_at, blocked_until)
VALUES (:subject_hash, 0, :now, 0)
ON DUPLICATE KEY UPDATE failures = failures;

-- :name throttle_get
-- :one
-- :pools vault
-- :in subject_hash:bytes(32)
-- :out failures:int window_started_at:time blocked_until:time
SELECT failures, window_started_at, blocked_until
FROM login_throttle
WHERE subject_hash = :subject_hash
FOR UPDATE;

-- :name throttle_set
-- :exec
-- :pools vault
-- :in subject_hash:bytes(32) failures:int window_started_at:time blocked_until:time
UPDATE login_throttle
SET failures = :failures, window_started_at = :window_started_at, blocked_until = :blocked_until
WHERE subject_hash = :subject_hash;

-- :name throttle_clear
-- :exec
-- :pools vault
-- :in subject_hash:bytes(32)
DELETE FROM login_throttle WHERE subject_hash = :subject_hash;

-- :name throttle_expire
-- :exec
-- :pools worker
-- :in before:time limit:int
DELETE FROM login_throttle WHERE window_started_at < :before ORDER BY window_started_at LIMIT :limit;
