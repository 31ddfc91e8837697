-- Subscriptions: where events are sent on to.

-- :name subscription_insert
-- :exec
-- :pools front
-- :in subscription_id:id url:text(2048) event_types:text(2000)? connector_id:id? secret:bytes(512) created_by:id
INSERT INTO v_subscription (tenant_id, subscription_id, url, event_types, connector_id, active, secret, created_by, created_at,
	updated_at)
VALUES (:tenant, :subscription_id, :url, :event_types, :connector_id, 1, :secret, :created_by, :now, :now);

-- :name subscription_list
-- :many
-- :pools front
-- :in before:id limit:int
-- :out subscription_id:id url:text(2048) event_types:text(2000)? connector_id:id? active:bool error_code:text(64)? error_at:time? created_by:id created_at:time updated_at:time
SELECT subscription_id, url, event_types, connector_id, active, error_code, error_at, created_by, created_at, updated_at
FROM v_subscription WHERE tenant_id = :tenant AND subscription_id < :before AND :live
ORDER BY subscription_id DESC
LIMIT :limit;

-- :name subscription_get
-- :one
-- :pools front
-- :in subscription_id:id
-- :out subscription_id:id url:text(2048) event_types:text(2000)? connector_id:id? active:bool error_code:text(64)? error_at:time? created_by:id created_at:time updated_at:time
SELECT subscription_id, url, event_types, connector_id, active, error_code, error_at, created_by, created_at, updated_at
FROM v_subscription WHERE tenant_id = :tenant AND subscription_id = :subscription_id AND :live;

-- :name subscription_lock
-- :one
-- :pools front
-- :in subscription_id:id
-- :out subscription_id:id url:text(2048) event_types:text(2000)? connector_id:id? active:bool error_code:text(64)? error_at:time? created_by:id created_at:time updated_at:time
SELECT subscription_id, url, event_types, connector_id, active, error_code, error_at, created_by, created_at, updated_at
FROM v_subscription WHERE tenant_id = :tenant AND subscription_id = :subscription_id FOR UPDATE;

-- :name subscription_update
-- :exec
-- :pools front
-- :in subscription_id:id url:text(2048) event_types:text(2000)? connector_id:id? active:bool updated_at:time
UPDATE v_subscription SET url = :url, event_types = :event_types, connector_id = :connector_id, active = :active,
	updated_at = :updated_at
WHERE tenant_id = :tenant AND subscription_id = :subscription_id;

-- :name subscription_delete
-- :exec
-- :pools front
-- :in subscription_id:id
DELETE FROM v_subscription WHERE tenant_id = :tenant AND subscription_id = :subscription_id;

-- All that might want an event of that connector; which types is looked at in the program.
-- :name subscription_matching
-- :many
-- :pools worker
-- :in connector_id:id
-- :out subscription_id:id event_types:text(2000)?
SELECT subscription_id, event_types
FROM v_subscription
WHERE tenant_id = :tenant AND active = 1 AND (connector_id IS NULL OR connector_id = :connector_id);

-- :name subscription_open
-- :one
-- :pools worker
-- :in subscription_id:id
-- :out url:text(2048) active:bool secret:bytes(512) error_at:time?
SELECT url, active, secret, error_at FROM v_subscription WHERE tenant_id = :tenant AND subscription_id = :subscription_id;

-- How a delivery went wrong, which says nothing of whether more are wanted.
-- :name subscription_note_bad
-- :exec
-- :pools worker
-- :in subscription_id:id error_code:text(64)
UPDATE v_subscription SET error_code = :error_code, error_at = :now, updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND subscription_id = :subscription_id;

-- It works again.
-- :name subscription_note_good
-- :exec
-- :pools worker
-- :in subscription_id:id
UPDATE v_subscription SET error_code = NULL, error_at = NULL, updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND subscription_id = :subscription_id;

-- The receiver wants no more.
-- :name subscription_end
-- :exec
-- :pools worker
-- :in subscription_id:id error_code:text(64)
UPDATE v_subscription SET active = 0, error_code = :error_code, error_at = :now, updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND subscription_id = :subscription_id;

-- :name subscription_count
-- :one
-- :pools front
-- :out subscriptions:int
SELECT COUNT(*) AS subscriptions FROM v_subscription WHERE tenant_id = :tenant;

-- :name subscription_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_subscription WHERE tenant_id = :tenant;
