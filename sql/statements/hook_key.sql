-- Keys that check webhooks and come from their provider's address: the front asks, the worker fetches.

-- :name hook_key_get
-- :one
-- :pools front worker
-- :in connector_type:text(64) url_hash:bytes(32)
-- :out document:bytes(65535)? fetched_at:time expires_at:time
SELECT document, fetched_at, expires_at FROM hook_fetched_key WHERE connector_type = :connector_type AND url_hash = :url_hash;

-- :name hook_key_put
-- :exec
-- :pools worker
-- :in connector_type:text(64) url_hash:bytes(32) document:bytes(65535)? fetched_at:time expires_at:time
INSERT INTO hook_fetched_key (connector_type, url_hash, document, fetched_at, expires_at)
VALUES (:connector_type, :url_hash, :document, :fetched_at, :expires_at)
ON DUPLICATE KEY UPDATE document = VALUES(document), fetched_at = VALUES(fetched_at), expires_at = VALUES(expires_at);

-- Who uses a key has it fetched anew each hour: an old one isn't used.
-- :name hook_key_expire
-- :exec
-- :pools worker
-- :in before:time limit:int
DELETE FROM hook_fetched_key WHERE fetched_at < :before ORDER BY fetched_at LIMIT :limit;

-- Those of the connector that haven't come true.
-- :name hook_key_wishes
-- :one
-- :pools front
-- :scan a few hundred rows at most, and only when a key isn't there
-- :in connector_type:text(64) wanted_by:id
-- :out of_type:int of_connector:int
SELECT COUNT(*) AS of_type, COUNT(IF(wanted_by = :wanted_by AND (tried_at = 0 OR failures > 0), 1, NULL)) AS of_connector
FROM hook_wanted_key WHERE connector_type = :connector_type;

-- :name hook_key_wish
-- :one
-- :pools front
-- :in connector_type:text(64) url_hash:bytes(32)
-- :out wanted_at:time
SELECT wanted_at FROM hook_wanted_key WHERE connector_type = :connector_type AND url_hash = :url_hash;

-- :name hook_key_want
-- :exec
-- :pools front
-- :in connector_type:text(64) url_hash:bytes(32) url:text(512) wanted_by:id wanted_at:time
INSERT INTO hook_wanted_key (connector_type, url_hash, url, wanted_by, wanted_at)
VALUES (:connector_type, :url_hash, :url, :wanted_by, :wanted_at)
ON DUPLICATE KEY UPDATE wanted_at = VALUES(wanted_at);

-- :name hook_key_due
-- :many
-- :pools worker
-- :scan a few hundred rows at most
-- :in before:time limit:int
-- :out connector_type:text(64) url_hash:bytes(32) url:text(512) failures:int
SELECT connector_type, url_hash, url, failures FROM hook_wanted_key
WHERE wanted_at > tried_at AND retry_at <= :before
ORDER BY retry_at, wanted_at LIMIT :limit;

-- :name hook_key_tried
-- :exec
-- :pools worker
-- :in connector_type:text(64) url_hash:bytes(32) tried_at:time retry_at:time failures:int
UPDATE hook_wanted_key SET tried_at = :tried_at, retry_at = :retry_at, failures = :failures
WHERE connector_type = :connector_type AND url_hash = :url_hash;

-- :name hook_wish_expire
-- :exec
-- :pools worker
-- :in before:time limit:int
DELETE FROM hook_wanted_key WHERE wanted_at < :before ORDER BY wanted_at LIMIT :limit;
