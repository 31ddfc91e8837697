-- Live runs: sessions in which a person watches and steers an execution.

-- :name live_run_insert
-- :exec
-- :pools front
-- :in run_id:id workflow_id:id
INSERT INTO v_live_run (tenant_id, run_id, workflow_id, status, created_by, created_at, used_at)
VALUES (:tenant, :run_id, :workflow_id, 'open', :user, :now, :now);

-- Of a workflow that is there.
-- :name live_run_workflow
-- :one
-- :pools front
-- :in workflow_id:id
-- :out version:int
SELECT version FROM v_workflow WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND deleted_at IS NULL;

-- :name live_run_get
-- :one
-- :pools front vault
-- :in run_id:id
-- :out workflow_id:id execution_id:id? status:text(8) created_at:time
SELECT workflow_id, execution_id, status, created_at
FROM v_live_run WHERE tenant_id = :tenant AND run_id = :run_id AND :live;

-- What two say at once is taken one after the other.
-- :name live_run_lock
-- :one
-- :pools front
-- :in run_id:id
-- :out workflow_id:id execution_id:id? status:text(8)
SELECT workflow_id, execution_id, status
FROM v_live_run WHERE tenant_id = :tenant AND run_id = :run_id FOR UPDATE;

-- :name live_run_begin
-- :exec
-- :pools front
-- :in run_id:id execution_id:id
UPDATE v_live_run SET execution_id = :execution_id, used_at = :now WHERE tenant_id = :tenant AND run_id = :run_id;

-- An execution beside its own has begun.
-- :name live_run_use
-- :exec
-- :pools front
-- :in run_id:id
UPDATE v_live_run SET used_at = :now WHERE tenant_id = :tenant AND run_id = :run_id;

-- :name live_run_end
-- :exec
-- :pools front
-- :in run_id:id
UPDATE v_live_run SET status = 'ended', ended_at = :now WHERE tenant_id = :tenant AND run_id = :run_id AND status = 'open';

-- :name live_run_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_live_run WHERE tenant_id = :tenant;
