-- The queues as their operator sees them: figures for monitoring, and jobs across tenants for latchctl.

-- Bounded: what is deeper than the limit is deep.
-- :name queue_measure
-- :one
-- :pools worker
-- :global the queues of all tenants
-- :in queue:text(16) limit:int
-- :out waiting:int dead:int
SELECT (SELECT COUNT(*) FROM (SELECT job_id FROM job WHERE state = 'live' AND queue = :queue LIMIT :limit) w) AS waiting,
	(SELECT COUNT(*) FROM (SELECT job_id FROM job WHERE state = 'dead' AND queue = :queue LIMIT :limit) d) AS dead;

-- :name queue_note
-- :exec
-- :pools worker
-- :in queue:text(16) waiting:int dead:int oldest_due_at:time? done:int failed:int buried:int
INSERT INTO queue_stat (queue, waiting, dead, oldest_due_at, done_total, failed_total, buried_total, measured_at)
VALUES (:queue, :waiting, :dead, :oldest_due_at, :done, :failed, :buried, :now)
ON DUPLICATE KEY UPDATE waiting = :waiting, dead = :dead, oldest_due_at = :oldest_due_at, done_total = done_total + :done,
	failed_total = failed_total + :failed, buried_total = buried_total + :buried, measured_at = :now;

-- :name queue_figures
-- :many
-- :pools front
-- :scan a row for each queue
-- :out queue:text(16) waiting:int dead:int oldest_due_at:time? done_total:int failed_total:int buried_total:int measured_at:time
SELECT queue, waiting, dead, oldest_due_at, done_total, failed_total, buried_total, measured_at FROM queue_stat;

-- What the workers have counted beside the queues.
-- :name worker_note
-- :exec
-- :pools worker
-- :in series:text(64) counted:int
INSERT INTO worker_stat (series, total) VALUES (:series, :counted) ON DUPLICATE KEY UPDATE total = total + :counted;

-- :name worker_figures
-- :many
-- :pools front
-- :scan a row for each series
-- :out series:text(64) total:int
SELECT series, total FROM worker_stat;

-- :name queue_jobs
-- :many
-- :pools ctl
-- :global the operator sees every tenant's jobs
-- :scan newest first, of all or of a tenant
-- :in before:id job_tenant:id? queue:text(16)? state:text(8)? limit:int
-- :out tenant_id:id job_id:id queue:text(16) kind:text(32) state:text(8) run_at:time attempts:int error_code:text(64)?
SELECT tenant_id, job_id, queue, kind, IF(state = 'dead', 'dead', IF(worker IS NULL, 'waiting', 'running')) AS state, run_at,
	attempts, error_code
FROM job
WHERE job_id < :before AND (:job_tenant IS NULL OR tenant_id = :job_tenant) AND (:queue IS NULL OR queue = :queue)
	AND (:state IS NULL OR job.state = :state)
ORDER BY job_id DESC
LIMIT :limit;

-- :name queue_job
-- :one
-- :pools ctl
-- :global the operator sees every tenant's jobs
-- :scan an operator who knows the job and not its tenant
-- :in job_id:id
-- :out tenant_id:id queue:text(16) kind:text(32) state:text(8) run_at:time attempts:int subject_id:id? worker:text(64)? error_code:text(64)? error_message:text(500)? created_at:time started_at:time?
SELECT tenant_id, queue, kind, IF(state = 'dead', 'dead', IF(worker IS NULL, 'waiting', 'running')) AS state, run_at, attempts,
	subject_id, worker, error_code, error_message, created_at, started_at
FROM job WHERE job_id = :job_id;

-- From the dead: with its attempts counted anew.
-- :name queue_revive
-- :exec
-- :pools ctl
-- :global the operator acts for every tenant
-- :in job_tenant:id job_id:id
UPDATE job SET state = 'live', run_at = :now, attempts = 0
WHERE tenant_id = :job_tenant AND job_id = :job_id AND state = 'dead';

-- Spread over the next minute, so that what failed together doesn't come back together.
-- :name queue_revive_all
-- :exec
-- :pools ctl
-- :global the operator acts for every tenant
-- :scan the dead ones
-- :in job_tenant:id? queue:text(16)? limit:int
UPDATE job SET state = 'live', run_at = :now + 100 * (CONV(HEX(RIGHT(job_id, 2)), 16, 10) % 600), attempts = 0
WHERE state = 'dead' AND (:job_tenant IS NULL OR tenant_id = :job_tenant) AND (:queue IS NULL OR queue = :queue)
LIMIT :limit;
