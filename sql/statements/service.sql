-- Which services a tenant has switched on and with which credential, and where each service's figures go.

-- :name service_list
-- :many
-- :pools front
-- :out service:text(64) enabled:bool credential_id:id? updated_at:time
SELECT service, enabled, credential_id, updated_at
FROM v_service_setting
WHERE tenant_id = :tenant AND :live
ORDER BY service;

-- :name service_get
-- :one
-- :pools front vault worker
-- :in service:text(64)
-- :out enabled:bool credential_id:id? updated_at:time
SELECT enabled, credential_id, updated_at
FROM v_service_setting
WHERE tenant_id = :tenant AND service = :service;

-- Without a credential the one that it had stays.
-- :name service_enable
-- :exec
-- :pools front
-- :in service:text(64) credential_id:id?
INSERT INTO v_service_setting (tenant_id, service, enabled, credential_id, updated_by, updated_at)
VALUES (:tenant, :service, TRUE, :credential_id, :user, :now)
ON DUPLICATE KEY UPDATE enabled = TRUE, credential_id = COALESCE(VALUES(credential_id), credential_id),
	updated_by = VALUES(updated_by), updated_at = VALUES(updated_at);

-- :name service_disable
-- :exec
-- :pools front
-- :in service:text(64)
INSERT INTO v_service_setting (tenant_id, service, enabled, updated_by, updated_at)
VALUES (:tenant, :service, FALSE, :user, :now)
ON DUPLICATE KEY UPDATE enabled = FALSE, updated_by = VALUES(updated_by), updated_at = VALUES(updated_at);

-- :name sheet_mapping_list
-- :many
-- :pools front
-- :out service:text(64) spreadsheet_id:text(128) sheet_name:text(128) updated_at:time
SELECT service, spreadsheet_id, sheet_name, updated_at
FROM v_sheet_mapping
WHERE tenant_id = :tenant AND :live
ORDER BY service;

-- :name sheet_mapping_set
-- :exec
-- :pools front
-- :in service:text(64) spreadsheet_id:text(128) sheet_name:text(128)
INSERT INTO v_sheet_mapping (tenant_id, service, spreadsheet_id, sheet_name, updated_by, updated_at)
VALUES (:tenant, :service, :spreadsheet_id, :sheet_name, :user, :now)
ON DUPLICATE KEY UPDATE spreadsheet_id = VALUES(spreadsheet_id), sheet_name = VALUES(sheet_name),
	updated_by = VALUES(updated_by), updated_at = VALUES(updated_at);
