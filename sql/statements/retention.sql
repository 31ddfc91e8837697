-- What is dropped when its time is over.

-- :name partitions_keep
-- :exec
-- :pools worker
-- :scan definitions, no rows
-- :in event_days:int job_days:int execution_days:int
CALL lw_partitions(:now, :event_days, :job_days, :execution_days);

-- :name event_key_expire
-- :exec
-- :pools worker
-- :global upkeep of every tenant's rows
-- :in before:id limit:int
DELETE FROM event_key WHERE event_id < :before ORDER BY event_id LIMIT :limit;

-- :name dead_job_expire
-- :exec
-- :pools worker
-- :global upkeep of every tenant's rows
-- :scan the dead ones
-- :in before:time limit:int
DELETE FROM job WHERE state = 'dead' AND run_at < :before LIMIT :limit;

-- A run goes with its execution, which may have begun long after the run did. Of those that a run began beside it, one step
-- each, only the last one's beginning is known.
-- :name live_run_expire
-- :exec
-- :pools worker
-- :global upkeep of every tenant's rows
-- :in before:time limit:int
DELETE FROM live_run WHERE used_at < :before AND NOT EXISTS (SELECT 1 FROM execution
	WHERE execution.tenant_id = live_run.tenant_id AND execution.execution_id = live_run.execution_id)
ORDER BY used_at LIMIT :limit;

-- --- tenants with limits of their own ---------------------------------------------------------

-- :name retention_get
-- :one
-- :pools front ctl
-- :out name:text(200) created_at:time event_days:int? execution_days:int? ai_days:int? updated_at:time
SELECT t.name, t.created_at, r.event_days, r.execution_days, r.ai_days, COALESCE(r.updated_at, t.created_at) AS updated_at
FROM v_tenant t LEFT JOIN v_tenant_retention r ON r.tenant_id = t.tenant_id
WHERE t.tenant_id = :tenant AND t.deleted_at IS NULL AND :live;

-- The tenant's row is locked: there may be no other one yet.
-- :name retention_lock
-- :one
-- :pools front ctl
-- :out name:text(200) created_at:time event_days:int? execution_days:int? ai_days:int? updated_at:time
SELECT t.name, t.created_at, r.event_days, r.execution_days, r.ai_days, COALESCE(r.updated_at, t.created_at) AS updated_at
FROM v_tenant t LEFT JOIN v_tenant_retention r ON r.tenant_id = t.tenant_id
WHERE t.tenant_id = :tenant AND t.deleted_at IS NULL FOR UPDATE;

-- Due at once: who shortens a limit wants what is over to go. Whoever is at it learns that its lease is over.
-- :name retention_set
-- :exec
-- :pools front ctl
-- :in event_days:int? execution_days:int? ai_days:int? updated_at:time
INSERT INTO v_tenant_retention (tenant_id, event_days, execution_days, ai_days, due_at, updated_at)
VALUES (:tenant, :event_days, :execution_days, :ai_days, :now, :updated_at)
ON DUPLICATE KEY UPDATE event_days = VALUES(event_days), execution_days = VALUES(execution_days),
	ai_days = VALUES(ai_days), due_at = VALUES(due_at), updated_at = VALUES(updated_at);

-- :name retention_forget
-- :exec
-- :pools ctl
DELETE FROM v_tenant_retention WHERE tenant_id = :tenant;

-- :name retention_due
-- :many
-- :pools worker
-- :global the worker serves every tenant
-- :in limit:int
-- :out tenant_id:id due_at:time
SELECT tenant_id, due_at FROM tenant_retention WHERE due_at <= :now ORDER BY due_at LIMIT :limit;

-- Of several workers one gets it; while it holds it, nobody else removes rows of this tenant.
-- :name retention_lease
-- :exec
-- :pools worker
-- :in seen_at:time lease:time
UPDATE v_tenant_retention SET due_at = :lease WHERE tenant_id = :tenant AND due_at = :seen_at;

-- :name retention_open
-- :one
-- :pools worker
-- :out event_days:int? execution_days:int? ai_days:int? sweep_from:id? sweep_to:id?
SELECT event_days, execution_days, ai_days, sweep_from, sweep_to FROM v_tenant_retention WHERE tenant_id = :tenant;

-- :name retention_rest
-- :exec
-- :pools worker
-- :in seen_at:time next_at:time?
UPDATE v_tenant_retention SET due_at = :next_at WHERE tenant_id = :tenant AND due_at = :seen_at;

-- --- executions: the oldest first, page by page, those that stay among them ---------------------

-- One that is over stays while a job could still look for it, and while the execution that waited for it hasn't ended.
-- :name retention_executions
-- :many
-- :pools worker
-- :in after:id until:id ended_before:time limit:int
-- :out execution_id:id is_over:bool
SELECT e.execution_id, (e.completed_at IS NOT NULL AND e.completed_at < :ended_before
	AND NOT EXISTS (SELECT 1 FROM v_job j WHERE j.tenant_id = :tenant AND j.job_id = e.execution_id AND j.state = 'live')
	AND NOT EXISTS (SELECT 1 FROM v_execution_step s JOIN v_job j ON j.tenant_id = s.tenant_id AND j.job_id = s.job_id
		WHERE s.tenant_id = :tenant AND s.execution_id = e.execution_id AND j.state = 'live')
	AND NOT EXISTS (SELECT 1 FROM v_execution p
		WHERE p.tenant_id = :tenant AND p.execution_id = e.parent_id AND p.completed_at IS NULL)) AS is_over
FROM v_execution e
WHERE e.tenant_id = :tenant AND e.execution_id > :after AND e.execution_id < :until
ORDER BY e.execution_id
LIMIT :limit;

-- In one transaction with the executions: whoever goes on knows whose steps and events are left.
-- :name retention_sweep_set
-- :exec
-- :pools worker
-- :in seen_at:time lease:time sweep_from:id sweep_to:id
UPDATE v_tenant_retention SET due_at = :lease, sweep_from = :sweep_from, sweep_to = :sweep_to
WHERE tenant_id = :tenant AND due_at = :seen_at;

-- :name retention_sweep_done
-- :exec
-- :pools worker
-- :in seen_at:time lease:time
UPDATE v_tenant_retention SET due_at = :lease, sweep_from = NULL, sweep_to = NULL
WHERE tenant_id = :tenant AND due_at = :seen_at;

-- What a page found over is over for good: it can't begin again.
-- :name retention_drop_executions
-- :exec
-- :pools worker
-- :in from:id to:id ended_before:time
DELETE FROM v_execution
WHERE tenant_id = :tenant AND execution_id >= :from AND execution_id <= :to AND completed_at < :ended_before;

-- :name retention_drop_steps
-- :exec
-- :pools worker
-- :in from:id to:id limit:int
DELETE FROM v_execution_step WHERE tenant_id = :tenant AND execution_id >= :from AND execution_id <= :to
ORDER BY execution_id LIMIT :limit;

-- :name retention_drop_happened
-- :exec
-- :pools worker
-- :in from:id to:id limit:int
DELETE FROM v_execution_event WHERE tenant_id = :tenant AND execution_id >= :from AND execution_id <= :to
ORDER BY execution_id LIMIT :limit;

-- :name retention_drop_signals
-- :exec
-- :pools worker
-- :in from:id to:id limit:int
DELETE FROM v_execution_signal WHERE tenant_id = :tenant AND execution_id >= :from AND execution_id <= :to
ORDER BY execution_id LIMIT :limit;

-- :name retention_drop_runs
-- :exec
-- :pools worker
-- :in until:id used_before:time limit:int
DELETE FROM v_live_run WHERE tenant_id = :tenant AND run_id < :until AND used_at < :used_before
	AND NOT EXISTS (SELECT 1 FROM v_execution e
		WHERE e.tenant_id = :tenant AND e.execution_id = v_live_run.execution_id)
ORDER BY run_id LIMIT :limit;

-- Jobs that were given up about what is gone: they would find nothing.
-- :name retention_drop_dead
-- :exec
-- :pools worker
-- :in queue:text(16) kind:text(32) until:id before:time limit:int
DELETE FROM v_job
WHERE tenant_id = :tenant AND state = 'dead' AND queue = :queue AND run_at < :before AND kind = :kind AND subject_id < :until
ORDER BY run_at LIMIT :limit;

-- --- events -------------------------------------------------------------------------------------

-- What jobs are about: deliveries that are tried again, events that are to be handed on, and what was given up and still
-- waits for somebody.
-- :name retention_awaited
-- :many
-- :pools worker
-- :in after:id until:id limit:int
-- :out event_id:id
SELECT DISTINCT subject_id AS event_id FROM v_job
WHERE tenant_id = :tenant AND state IN ('live', 'dead') AND queue IN ('event', 'delivery') AND subject_id > :after AND subject_id < :until
ORDER BY subject_id
LIMIT :limit;

-- :name retention_events
-- :many
-- :pools worker
-- :in after:id until:id before:time limit:int
-- :out event_id:id is_over:bool
SELECT event_id, (status = 'failed' OR (processed_at IS NOT NULL AND processed_at < :before)) AS is_over
FROM v_event
WHERE tenant_id = :tenant AND event_id > :after AND event_id < :until
ORDER BY event_id
LIMIT :limit;

-- One that is handed on once more in this moment is `received` again, or processed only now.
-- :name retention_drop_events
-- :exec
-- :pools worker
-- :in from:id to:id before:time
DELETE FROM v_event
WHERE tenant_id = :tenant AND event_id >= :from AND event_id <= :to AND (status = 'failed' OR processed_at < :before);

-- --- what was said to agents, and what models cost ------------------------------------------------

-- :name retention_drop_messages
-- :exec
-- :pools worker
-- :in before:time limit:int
DELETE FROM v_agent_message WHERE tenant_id = :tenant AND created_at < :before ORDER BY created_at LIMIT :limit;

-- :name retention_drop_usage
-- :exec
-- :pools worker
-- :in until:id limit:int
DELETE FROM v_ai_usage WHERE tenant_id = :tenant AND usage_id < :until ORDER BY usage_id LIMIT :limit;

-- --- versions of workflows ------------------------------------------------------------------------

-- :name version_due
-- :many
-- :pools worker
-- :global the worker serves every tenant
-- :in limit:int
-- :out tenant_id:id workflow_id:id version:int deleted_at:time? due_at:time execution_days:int?
SELECT w.tenant_id, w.workflow_id, w.version, w.deleted_at, w.versions_due_at AS due_at, r.execution_days
FROM workflow w LEFT JOIN tenant_retention r ON r.tenant_id = w.tenant_id
WHERE w.versions_due_at <= :now
ORDER BY w.versions_due_at
LIMIT :limit;

-- :name version_drop_unused
-- :exec
-- :pools worker
-- :in workflow_id:id last:int limit:int
DELETE FROM v_workflow_version
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND version <= :last AND used_at IS NULL
ORDER BY version LIMIT :limit;

-- :name version_used
-- :many
-- :pools worker
-- :in workflow_id:id after:int last:int limit:int
-- :out version:int used_at:time
SELECT version, used_at FROM v_workflow_version
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND version > :after AND version <= :last AND used_at IS NOT NULL
ORDER BY version
LIMIT :limit;

-- Of so old a time only what stays long is there.
-- :name version_begun_with
-- :one
-- :pools worker
-- :in workflow_id:id version:int until:id
-- :out execution_id:id
SELECT execution_id FROM v_execution
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND version = :version AND execution_id < :until
LIMIT 1;

-- :name version_drop_used
-- :exec
-- :pools worker
-- :in workflow_id:id version:int used_before:time
DELETE FROM v_workflow_version
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND version = :version AND used_at < :used_before;

-- A deleted one, when nothing is left that shows it.
-- :name version_drop_workflow
-- :exec
-- :pools worker
-- :in workflow_id:id
DELETE FROM v_workflow
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND deleted_at IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM v_workflow_version v WHERE v.tenant_id = :tenant AND v.workflow_id = :workflow_id)
	AND NOT EXISTS (SELECT 1 FROM v_execution e WHERE e.tenant_id = :tenant AND e.workflow_id = :workflow_id);

-- :name version_rest
-- :exec
-- :pools worker
-- :in workflow_id:id seen_at:time next_at:time?
UPDATE v_workflow SET versions_due_at = :next_at
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND versions_due_at = :seen_at;

-- --- how many are under way ------------------------------------------------------------------------

-- :name live_full
-- :many
-- :pools worker
-- :global the worker serves every tenant
-- :scan a few rows for each tenant
-- :in most:int limit:int
-- :out tenant_id:id
SELECT tenant_id FROM execution_live GROUP BY tenant_id HAVING SUM(live) >= :most LIMIT :limit;

-- What no job carries isn't under way: its day was dropped while it was. Both are of one moment, since it is one statement.
-- (Of tables: a sum over a view's column, in a subquery, is taken by MariaDB 10.11 once, and refused from then on.)
-- :name live_drift
-- :one
-- :pools worker
-- :global the worker serves every tenant
-- :in job_tenant:id
-- :out drift:int
SELECT carried.n - counted.n AS drift
FROM (SELECT COUNT(DISTINCT execution.execution_id) AS n FROM job
	JOIN execution ON execution.tenant_id = job.tenant_id AND execution.execution_id = job.subject_id
	WHERE job.tenant_id = :job_tenant AND job.state = 'live' AND job.queue IN ('automation', 'call')
		AND execution.completed_at IS NULL) carried
JOIN (SELECT COALESCE(SUM(live), 0) AS n FROM execution_live WHERE tenant_id = :job_tenant) counted;

-- In a place that no connection counts in.
-- :name live_mend
-- :exec
-- :pools worker
-- :in drift:int
INSERT INTO v_execution_live (tenant_id, place, live) VALUES (:tenant, 64, :drift)
ON DUPLICATE KEY UPDATE live = live + VALUES(live);
