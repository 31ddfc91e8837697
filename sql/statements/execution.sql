-- Executions of workflows: how they begin, move on and are shown.

-- One statement, and so one commit where it stands alone; `many`, since only what reads a result to its end learns that
-- the commit behind its one row has failed.
-- :name execution_begin
-- :many
-- :pools front worker
-- :in workflow_id:id version:int? by_hand:bool execution_id:id source:text(12) source_id:id? parent_id:id? parent_step:text(128)? depth:int only_step:text(128)? run_id:id? awaited:bool input_data:json request:json? started_by:id? most:int
-- :out started:int?
SELECT lw_start(:tenant, :workflow_id, :version, :by_hand, :execution_id, :source, :source_id, :parent_id, :parent_step,
	:depth, :only_step, :run_id, :awaited, :input_data, :request, :started_by, :most, :now) AS started;

-- :name execution_turn
-- :many
-- :pools worker
-- :in execution_id:id turn:int events:int status:text(12) steps:bytes(4194304) happened:int happening:json output_data:json? output_step:text(128)? error_code:text(64)? error_message:text(500)? error_step:text(128)? completed_at:time? parent_id:id? parent_step:text(128)? job_id:id lease:int fate:text(8) queue:text(16) kind:text(32) run_at:time jobs:json tell_from:int?
-- :out written:int
SELECT lw_turn(:tenant, :execution_id, :turn, :events, :status, :steps, :happened, :happening, :output_data, :output_step,
	:error_code, :error_message, :error_step, :completed_at, :parent_id, :parent_step, :job_id, :lease, :fate, :queue,
	:kind, :run_at, :jobs, :tell_from, :now) AS written;

-- What the worker has to know of an execution beside its steps.
-- :name execution_load
-- :one
-- :pools worker
-- :in execution_id:id
-- :out workflow_id:id version:int status:text(12) turn:int events:int source:text(12) source_id:id? parent_id:id? parent_step:text(128)? depth:int only_step:text(128)? run_id:id? awaited:bool input_data:json request:json? output_data:json? output_step:text(128)? error_code:text(64)? error_message:text(500)? error_step:text(128)? started_at:time completed_at:time? deleted_at:time?
SELECT execution.workflow_id, execution.version, execution.status, execution.turn, execution.events, execution.source,
	execution.source_id, execution.parent_id, execution.parent_step, execution.depth, execution.only_step,
	execution.run_id, execution.awaited, execution.input_data, execution.request, execution.output_data,
	execution.output_step, execution.error_code, execution.error_message, execution.error_step, execution.started_at,
	execution.completed_at, workflow.deleted_at
FROM v_execution execution
JOIN v_workflow workflow ON workflow.tenant_id = execution.tenant_id AND workflow.workflow_id = execution.workflow_id
WHERE execution.tenant_id = :tenant AND execution.execution_id = :execution_id;

-- :name execution_steps
-- :many
-- :pools front worker
-- :in execution_id:id
-- :out step_id:text(128) status:text(12) attempt:int job_id:id? wake_at:time? state:json? output_data:json? error_code:text(64)? error_message:text(500)? started_at:time? completed_at:time?
SELECT step_id, status, attempt, job_id, wake_at, state, output_data, error_code, error_message, started_at, completed_at
FROM v_execution_step WHERE tenant_id = :tenant AND execution_id = :execution_id;

-- :name workflow_version_text
-- :one
-- :pools front worker
-- :in workflow_id:id version:int
-- :out definition:json
SELECT definition FROM v_workflow_version
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND version = :version;

-- --- shown ----------------------------------------------------------------------------

-- :name execution_get
-- :one
-- :pools front
-- :in execution_id:id
-- :out execution_id:id workflow_id:id version:int status:text(12) source:text(12) source_id:id? request:json? input_data:json output_data:json? output_step:text(128)? error_code:text(64)? error_message:text(500)? error_step:text(128)? started_at:time completed_at:time?
SELECT execution_id, workflow_id, version, status, source, source_id, request, input_data, output_data, output_step,
	error_code, error_message, error_step, started_at, completed_at
FROM v_execution WHERE tenant_id = :tenant AND execution_id = :execution_id AND :live;

-- :name execution_known
-- :one
-- :pools front
-- :in execution_id:id
-- :out started_at:time
SELECT started_at FROM v_execution WHERE tenant_id = :tenant AND execution_id = :execution_id AND :live;

-- :name workflow_known
-- :one
-- :pools front
-- :in workflow_id:id
-- :out version:int
SELECT version FROM v_workflow WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND deleted_at IS NULL AND :live;

-- :name execution_list
-- :many
-- :pools front
-- :in workflow_id:id before:id status:text(12)? skip:int limit:int
-- :out execution_id:id
SELECT execution_id
FROM v_execution_of_workflow
WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND execution_id < :before
	AND (:status IS NULL OR status = :status) AND :live
ORDER BY execution_id DESC
LIMIT :limit OFFSET :skip;

-- :name execution_event_list
-- :many
-- :pools front worker
-- :in execution_id:id from:int limit:int
-- :out first:int events:json
SELECT first, events FROM v_execution_event
WHERE tenant_id = :tenant AND execution_id = :execution_id AND first >= :from
ORDER BY first
LIMIT :limit;

-- The row that holds the event of that number, or the one before it.
-- :name execution_event_row
-- :one
-- :pools front
-- :in execution_id:id number:int
-- :out first:int
SELECT first FROM v_execution_event
WHERE tenant_id = :tenant AND execution_id = :execution_id AND first <= :number
ORDER BY first DESC
LIMIT 1;

-- --- from outside ------------------------------------------------------------------------

-- :name execution_lock
-- :one
-- :pools front worker
-- :in execution_id:id
-- :out workflow_id:id version:int status:text(12) events:int run_id:id? parent_id:id? completed_at:time?
SELECT workflow_id, version, status, events, run_id, parent_id, completed_at
FROM v_execution WHERE tenant_id = :tenant AND execution_id = :execution_id
FOR UPDATE;

-- :name execution_end
-- :exec
-- :pools front worker
-- :in execution_id:id status:text(12) error_code:text(64)? error_message:text(500)?
UPDATE v_execution SET status = :status, turn = turn + 1, events = events + 1, completed_at = :now,
	error_code = :error_code, error_message = :error_message
WHERE tenant_id = :tenant AND execution_id = :execution_id AND completed_at IS NULL;

-- :name execution_cancel_steps
-- :exec
-- :pools front worker
-- :in execution_id:id
UPDATE v_execution_step SET status = 'cancelled', completed_at = :now
WHERE tenant_id = :tenant AND execution_id = :execution_id AND status = 'waiting';

-- What a job that was given up carried.
-- :name execution_fail_step
-- :exec
-- :pools worker
-- :in execution_id:id job_id:id error_code:text(64) error_message:text(500)
UPDATE v_execution_step SET status = 'failed', error_code = :error_code, error_message = :error_message,
	completed_at = :now
WHERE tenant_id = :tenant AND execution_id = :execution_id AND job_id = :job_id AND status IN ('running', 'waiting');

-- Whoever is in the middle of a turn looks again.
-- :name execution_stir
-- :exec
-- :pools front worker
-- :in execution_id:id
UPDATE v_execution SET turn = turn + 1
WHERE tenant_id = :tenant AND execution_id = :execution_id AND completed_at IS NULL;

-- What carries it and isn't at work is to look at once.
-- :name execution_wake
-- :exec
-- :pools front worker
-- :in execution_id:id
UPDATE v_job SET run_at = :now
WHERE tenant_id = :tenant AND worker IS NULL AND state = 'live' AND run_at > :now
	AND (job_id = :execution_id OR job_id IN (SELECT job_id FROM v_execution_step
		WHERE tenant_id = :tenant AND execution_id = :execution_id AND status IN ('running', 'waiting')));

-- The states of steps that wait for an execution of another workflow.
-- :name execution_waiting_for
-- :many
-- :pools front worker
-- :in execution_id:id
-- :out state:json
SELECT state FROM v_execution_step
WHERE tenant_id = :tenant AND execution_id = :execution_id AND status = 'waiting' AND state LIKE '{"execution_id"%';

-- A call that ended behind the execution's end.
-- :name execution_drop_step
-- :exec
-- :pools worker
-- :in execution_id:id job_id:id
UPDATE v_execution_step SET status = 'cancelled', completed_at = :now
WHERE tenant_id = :tenant AND execution_id = :execution_id AND job_id = :job_id AND status IN ('running', 'waiting');

-- :name execution_event_insert
-- :exec
-- :pools front worker
-- :in execution_id:id first:int events:json
INSERT INTO v_execution_event (tenant_id, execution_id, first, events) VALUES (:tenant, :execution_id, :first, :events);

-- :name execution_event_count
-- :exec
-- :pools worker
-- :in execution_id:id seen:int happened:int
UPDATE v_execution SET events = events + :happened
WHERE tenant_id = :tenant AND execution_id = :execution_id AND events = :seen AND completed_at IS NULL;

-- :name execution_signal_insert
-- :exec
-- :pools front worker
-- :in execution_id:id signal_id:id kind:text(32) step_id:text(128)? payload:json
INSERT INTO v_execution_signal (tenant_id, execution_id, signal_id, kind, step_id, payload, created_at)
VALUES (:tenant, :execution_id, :signal_id, :kind, :step_id, :payload, :now);

-- :name execution_signal_next
-- :one
-- :pools worker
-- :in execution_id:id after:id step_id:text(128)
-- :out signal_id:id kind:text(32) payload:json
SELECT signal_id, kind, payload FROM v_execution_signal
WHERE tenant_id = :tenant AND execution_id = :execution_id AND signal_id > :after AND taken_at IS NULL
	AND (step_id IS NULL OR step_id = :step_id)
ORDER BY signal_id
LIMIT 1;

-- :name execution_signal_take
-- :exec
-- :pools worker
-- :in execution_id:id signal_id:id
UPDATE v_execution_signal SET taken_at = :now
WHERE tenant_id = :tenant AND execution_id = :execution_id AND signal_id = :signal_id AND taken_at IS NULL;

-- :name workflow_is_there
-- :one
-- :pools worker
-- :in workflow_id:id
-- :out version:int
SELECT version FROM v_workflow WHERE tenant_id = :tenant AND workflow_id = :workflow_id AND deleted_at IS NULL;

-- How many of the tenant's are under way.
-- :name execution_count
-- :one
-- :pools worker
-- :out live:int
SELECT COALESCE(SUM(live), 0) AS live FROM v_execution_live WHERE tenant_id = :tenant;

-- How many executions the outermost one around this has led to, itself aside.
-- :name execution_family
-- :one
-- :pools worker
-- :in execution_id:id
-- :out begun:int
SELECT root.family AS begun
FROM v_execution execution
JOIN v_execution root ON root.tenant_id = execution.tenant_id
	AND root.execution_id = COALESCE(execution.root_id, execution.execution_id)
WHERE execution.tenant_id = :tenant AND execution.execution_id = :execution_id;

-- What is under way of a workflow that has gone looks at once.
-- :name execution_wake_workflow
-- :exec
-- :pools front
-- :in workflow_id:id
UPDATE v_job JOIN v_execution execution
	ON execution.tenant_id = v_job.tenant_id AND execution.execution_id = v_job.subject_id
SET v_job.run_at = :now
WHERE v_job.tenant_id = :tenant AND v_job.state = 'live' AND v_job.queue IN ('automation', 'call')
	AND v_job.worker IS NULL AND execution.workflow_id = :workflow_id;

-- --- run again ---------------------------------------------------------------------------

-- Locked: it isn't removed while its steps are copied.
-- :name execution_repeat
-- :one
-- :pools front
-- :in execution_id:id
-- :out workflow_id:id version:int only_step:text(128)? input_data:json request:json? completed_at:time?
SELECT workflow_id, version, only_step, input_data, request, completed_at
FROM v_execution WHERE tenant_id = :tenant AND execution_id = :execution_id LOCK IN SHARE MODE;

-- The steps named, a JSON list of ids, as they were.
-- :name execution_copy_steps
-- :exec
-- :pools front
-- :in execution_id:id from_execution_id:id steps:json
INSERT INTO v_execution_step (tenant_id, execution_id, step_id, status, attempt, state, output_data, error_code,
	error_message, started_at, completed_at)
SELECT step.tenant_id, :execution_id, step.step_id, step.status, step.attempt, step.state, step.output_data,
	step.error_code, step.error_message, step.started_at, step.completed_at
FROM v_execution_step step
WHERE step.tenant_id = :tenant AND step.execution_id = :from_execution_id
	AND JSON_CONTAINS(:steps, JSON_QUOTE(step.step_id));

-- :name execution_mark_copied
-- :exec
-- :pools front
-- :in execution_id:id
UPDATE v_execution SET turn = 1 WHERE tenant_id = :tenant AND execution_id = :execution_id;

-- --- events of providers ------------------------------------------------------------------

-- :name listener_matching
-- :many
-- :pools worker
-- :in connector_id:id provider:text(64)
-- :out workflow_id:id event_types:text(2000)?
SELECT listener.workflow_id, listener.event_types
FROM v_workflow_listener listener
JOIN v_workflow workflow ON workflow.tenant_id = listener.tenant_id AND workflow.workflow_id = listener.workflow_id
WHERE listener.tenant_id = :tenant AND workflow.active = 1 AND workflow.deleted_at IS NULL
	AND (listener.connector_id IS NULL OR listener.connector_id = :connector_id)
	AND (listener.provider IS NULL OR listener.provider = :provider)
ORDER BY listener.workflow_id, listener.position;

-- --- a tenant as a whole --------------------------------------------------------------------

-- :name execution_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_execution WHERE tenant_id = :tenant;

-- :name execution_forget_steps
-- :exec
-- :pools ctl
DELETE FROM v_execution_step WHERE tenant_id = :tenant;

-- :name execution_forget_events
-- :exec
-- :pools ctl
DELETE FROM v_execution_event WHERE tenant_id = :tenant;

-- :name execution_forget_signals
-- :exec
-- :pools ctl
DELETE FROM v_execution_signal WHERE tenant_id = :tenant;

-- :name execution_forget_live
-- :exec
-- :pools ctl
DELETE FROM v_execution_live WHERE tenant_id = :tenant;
