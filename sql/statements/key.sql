-- The short form: one API key a service. Such a key is a credential whose key_service is set.

-- :name key_list
-- :many
-- :pools front
-- :in before:id limit:int
-- :out credential_id:id key_service:text(64) api_key:text(64)? updated_at:time
SELECT credential_id, key_service, JSON_VALUE(masked, '$.api_key') AS api_key, updated_at
FROM v_credential
WHERE tenant_id = :tenant AND credential_id < :before AND key_service IS NOT NULL AND deleted_at IS NULL AND :live
ORDER BY credential_id DESC
LIMIT :limit;

-- :name key_find
-- :one
-- :pools front vault
-- :in key_service:text(64)
-- :out credential_id:id
SELECT credential_id FROM v_credential
WHERE tenant_id = :tenant AND key_service = :key_service AND deleted_at IS NULL AND :live;

-- :name key_hide
-- :exec
-- :pools front
-- :in credential_id:id key_service:text(64) deleted_at:time
UPDATE v_credential
SET deleted_at = :deleted_at, key_service = NULL, updated_at = GREATEST(:deleted_at, updated_at + 1)
WHERE tenant_id = :tenant AND credential_id = :credential_id AND key_service = :key_service AND deleted_at IS NULL;
