-- Events of providers.

-- One statement, and so one commit: each event, its job and its audit row, or nothing because it is known already.
-- :name event_intake
-- :group 8
-- :pools front
-- :global of as many tenants as there are events; lw_intake looks whether the connector is that tenant's
-- :in tenant_id:id connector_id:id hook_state:time event_id:id key_hash:bytes(32) provider:text(64) type:text(128) provider_event_id:text(255)? account:text(255)? subject_kind:text(64)? subject_id:text(255)? occurred_at:time? headers:text(4000) body:bytes(4194304) job_id:id audit_id:id address:text(45)? request_id:id at:time
-- :out event_id:id?
SELECT lw_intake(:tenant_id, :connector_id, :hook_state, :event_id, :key_hash, :provider, :type, :provider_event_id,
	:account, :subject_kind, :subject_id, :occurred_at, :headers, :body, :job_id, :audit_id, :address, :request_id,
	:at) AS event_id;

-- :name event_list
-- :many
-- :pools front
-- :in before:id type:text(128)? status:text(16)? from:id to:id limit:int
-- :out event_id:id connector_id:id provider:text(64) type:text(128) status:text(16) provider_event_id:text(255)? account:text(255)? subject_kind:text(64)? subject_id:text(255)? occurred_at:time? received_at:time processed_at:time?
SELECT event_id, connector_id, provider, type, status, provider_event_id, account, subject_kind, subject_id, occurred_at,
	received_at, processed_at
FROM v_event
WHERE tenant_id = :tenant AND event_id < :before AND event_id >= :from AND event_id < :to
	AND (:type IS NULL OR type = :type) AND (:status IS NULL OR status = :status) AND :live
ORDER BY event_id DESC
LIMIT :limit;

-- :name event_list_of_connector
-- :many
-- :pools front
-- :in connector_id:id before:id type:text(128)? status:text(16)? from:id to:id limit:int
-- :out event_id:id connector_id:id provider:text(64) type:text(128) status:text(16) provider_event_id:text(255)? account:text(255)? subject_kind:text(64)? subject_id:text(255)? occurred_at:time? received_at:time processed_at:time?
SELECT event_id, connector_id, provider, type, status, provider_event_id, account, subject_kind, subject_id, occurred_at,
	received_at, processed_at
FROM v_event_of_connector
WHERE tenant_id = :tenant AND connector_id = :connector_id AND event_id < :before AND event_id >= :from AND event_id < :to
	AND (:type IS NULL OR type = :type) AND (:status IS NULL OR status = :status) AND :live
ORDER BY event_id DESC
LIMIT :limit;

-- :name event_get
-- :one
-- :pools front
-- :in event_id:id
-- :out connector_id:id provider:text(64) type:text(128) status:text(16) provider_event_id:text(255)? account:text(255)? subject_kind:text(64)? subject_id:text(255)? occurred_at:time? received_at:time processed_at:time? headers:text(4000) body:bytes(4194304)
SELECT connector_id, provider, type, status, provider_event_id, account, subject_kind, subject_id, occurred_at, received_at,
	processed_at, headers, body
FROM v_event WHERE tenant_id = :tenant AND event_id = :event_id AND :live;

-- :name event_open
-- :one
-- :pools worker
-- :in event_id:id
-- :out connector_id:id provider:text(64) type:text(128) provider_event_id:text(255)? account:text(255)? subject_kind:text(64)? subject_id:text(255)? occurred_at:time? received_at:time headers:text(4000) body:bytes(4194304)
SELECT connector_id, provider, type, provider_event_id, account, subject_kind, subject_id, occurred_at, received_at,
	headers, body
FROM v_event WHERE tenant_id = :tenant AND event_id = :event_id;

-- :name event_mark
-- :exec
-- :pools worker
-- :in event_id:id status:text(16)
UPDATE v_event SET status = :status, processed_at = IF(:status = 'processed', :now, NULL)
WHERE tenant_id = :tenant AND event_id = :event_id;

-- It is to be handed on once more.
-- :name event_reopen
-- :exec
-- :pools front
-- :in event_id:id
UPDATE v_event SET status = 'received', processed_at = NULL WHERE tenant_id = :tenant AND event_id = :event_id;

-- --- a tenant as a whole --------------------------------------------------------

-- :name event_forget_keys
-- :exec
-- :pools ctl
-- :global a key has no tenant of its own, but its event has
DELETE event_key FROM event_key JOIN event ON event.event_id = event_key.event_id WHERE event.tenant_id = :tenant;

-- :name event_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_event WHERE tenant_id = :tenant;
