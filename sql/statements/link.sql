-- Single-use links that are mailed: set a password, confirm an address.

-- :name link_insert
-- :exec
-- :pools front vault
-- :in token_hash:bytes(32) purpose:text(16) user_id:id expires_at:time
INSERT INTO one_time_token (token_hash, purpose, user_id, created_at, expires_at)
VALUES (:token_hash, :purpose, :user_id, :now, :expires_at);

-- :name link_lock
-- :one
-- :pools front vault
-- :in token_hash:bytes(32) purpose:text(16)
-- :out user_id:id email_key:text(254)?
SELECT o.user_id, u.email_key
FROM one_time_token o
JOIN v_user u ON u.user_id = o.user_id
WHERE o.token_hash = :token_hash AND o.purpose = :purpose AND o.used_at IS NULL AND o.expires_at > :now
	AND u.disabled_at IS NULL
FOR UPDATE;

-- Counts only an unused one, so that of two nodes that both hold the lock one fails to commit.
-- :name link_use
-- :exec
-- :pools front vault
-- :in token_hash:bytes(32)
UPDATE one_time_token SET used_at = :now WHERE token_hash = :token_hash AND used_at IS NULL;

-- :name link_retire
-- :exec
-- :pools vault ctl
-- :in user_id:id purpose:text(16)
UPDATE one_time_token SET used_at = :now WHERE user_id = :user_id AND purpose = :purpose AND used_at IS NULL;

-- :name link_count
-- :one
-- :pools front
-- :in user_id:id purpose:text(16) since:time
-- :out count:int
SELECT COUNT(*) AS count FROM one_time_token WHERE user_id = :user_id AND purpose = :purpose AND created_at > :since;

-- :name link_expire
-- :exec
-- :pools worker
-- :in before:time limit:int
DELETE FROM one_time_token WHERE expires_at < :before ORDER BY expires_at LIMIT :limit;
