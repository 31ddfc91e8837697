-- Jobs: promised by every pool, done by the worker.

-- :name job_insert
-- :exec
-- :pools front vault worker ctl
-- :in job_id:id queue:text(16) kind:text(32) run_at:time subject_id:id? once_key:bytes(32)? payload:text(4096)
INSERT INTO v_job (tenant_id, job_id, queue, kind, state, run_at, subject_id, once_key, payload, created_at)
VALUES (:tenant, :job_id, :queue, :kind, 'live', :run_at, :subject_id, :once_key, :payload, :now);

-- :name job_insert_service
-- :exec
-- :pools front vault worker
-- :global work of the service itself: the view shows the nil tenant's rows only
-- :in job_id:id queue:text(16) kind:text(32) run_at:time subject_id:id? once_key:bytes(32)? payload:text(4096)
INSERT INTO v_job_service (tenant_id, job_id, queue, kind, state, run_at, subject_id, once_key, payload, created_at)
VALUES (0x00000000000000000000000000000000, :job_id, :queue, :kind, 'live', :run_at, :subject_id, :once_key, :payload, :now);

-- The first tenant from that id on that has jobs, and when its first one is due: one dive into the index `claim`, however
-- many there are. (MariaDB's own way to skip from group to group isn't taken in a prepared statement.)
-- :name job_next_tenant
-- :one
-- :pools worker
-- :global the worker serves every tenant
-- :in queue:text(16) from:id
-- :out tenant_id:id due_at:time
SELECT tenant_id, run_at AS due_at
FROM job FORCE INDEX (claim)
WHERE state = 'live' AND queue = :queue AND tenant_id >= :from
ORDER BY tenant_id, run_at
LIMIT 1;

-- :name job_claimable
-- :many
-- :pools worker
-- :global the worker serves every tenant
-- :in queue:text(16) job_tenant:id limit:int
-- :out job_id:id kind:text(32) attempts:int lease:int worker:text(64)? subject_id:id? payload:text(4096) created_at:time
SELECT job_id, kind, attempts, lease, worker, subject_id, payload, created_at
FROM job FORCE INDEX (claim)
WHERE state = 'live' AND queue = :queue AND tenant_id = :job_tenant AND run_at <= :now
ORDER BY run_at
LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- Up to ten jobs of one tenant, their ids one behind the other.
-- :name job_lease
-- :exec
-- :pools worker
-- :global the worker serves every tenant
-- :in job_tenant:id job_ids:bytes(160) until:time worker:text(64)
UPDATE job SET attempts = attempts + 1, lease = lease + 1, run_at = :until, worker = :worker, started_at = :now
WHERE tenant_id = :job_tenant AND job_id IN (SUBSTR(:job_ids, 1, 16), SUBSTR(:job_ids, 17, 16), SUBSTR(:job_ids, 33, 16),
	SUBSTR(:job_ids, 49, 16), SUBSTR(:job_ids, 65, 16), SUBSTR(:job_ids, 81, 16), SUBSTR(:job_ids, 97, 16),
	SUBSTR(:job_ids, 113, 16), SUBSTR(:job_ids, 129, 16), SUBSTR(:job_ids, 145, 16));

-- :name job_remove
-- :exec
-- :pools worker
-- :global the worker serves every tenant
-- :in job_tenant:id job_id:id lease:int
DELETE FROM job WHERE tenant_id = :job_tenant AND job_id = :job_id AND lease = :lease AND state = 'live';

-- :name job_remember
-- :exec
-- :pools worker
-- :global the worker serves every tenant
-- :in job_tenant:id job_id:id queue:text(16) kind:text(32) attempts:int subject_id:id? created_at:time
INSERT INTO job_history (tenant_id, job_id, queue, kind, attempts, subject_id, created_at, finished_at)
VALUES (:job_tenant, :job_id, :queue, :kind, :attempts, :subject_id, :created_at, :now);

-- :name job_put_back
-- :exec
-- :pools worker
-- :global the worker serves every tenant
-- :in job_tenant:id job_id:id lease:int run_at:time error_code:text(64)? error_message:text(500)?
UPDATE job SET run_at = :run_at, worker = NULL, error_code = :error_code, error_message = :error_message
WHERE tenant_id = :job_tenant AND job_id = :job_id AND lease = :lease AND state = 'live';

-- :name job_give_back
-- :exec
-- :pools worker
-- :global the worker serves every tenant
-- :in job_tenant:id job_id:id lease:int
UPDATE job SET run_at = :now, attempts = attempts - 1, worker = NULL
WHERE tenant_id = :job_tenant AND job_id = :job_id AND lease = :lease AND state = 'live';

-- :name job_pause
-- :exec
-- :pools worker
-- :global the worker serves every tenant
-- :in job_tenant:id job_id:id lease:int run_at:time
UPDATE job SET run_at = :run_at, attempts = attempts - 1, worker = NULL
WHERE tenant_id = :job_tenant AND job_id = :job_id AND lease = :lease AND state = 'live';

-- The key of a dead job is free for the next one.
-- :name job_bury
-- :exec
-- :pools worker
-- :global the worker serves every tenant
-- :in job_tenant:id job_id:id lease:int error_code:text(64)? error_message:text(500)?
UPDATE job SET state = 'dead', run_at = :now, worker = NULL, once_key = NULL, error_code = :error_code,
	error_message = :error_message
WHERE tenant_id = :job_tenant AND job_id = :job_id AND lease = :lease AND state = 'live';

-- :name job_extend
-- :exec
-- :pools worker
-- :global the worker serves every tenant
-- :in job_tenant:id job_id:id lease:int until:time
UPDATE job SET run_at = :until
WHERE tenant_id = :job_tenant AND job_id = :job_id AND lease = :lease AND state = 'live';

-- A tenant's jobs that aren't done: waiting, running or dead.
-- :name job_list
-- :many
-- :pools front
-- :in before:id state:text(8)? queue:text(16)? limit:int
-- :out job_id:id queue:text(16) kind:text(32) state:text(8) run_at:time attempts:int subject_id:id? error_code:text(64)? error_message:text(500)? created_at:time
SELECT job_id, queue, kind, IF(state = 'dead', 'dead', IF(worker IS NULL, 'waiting', 'running')) AS state, run_at, attempts,
	subject_id, error_code, error_message, created_at
FROM v_job
WHERE tenant_id = :tenant AND job_id < :before AND (:queue IS NULL OR queue = :queue)
	AND (:state IS NULL OR IF(state = 'dead', 'dead', IF(worker IS NULL, 'waiting', 'running')) = :state) AND :live
ORDER BY job_id DESC
LIMIT :limit;

-- :name job_list_done
-- :many
-- :pools front
-- :in before:id queue:text(16)? limit:int
-- :out job_id:id queue:text(16) kind:text(32) attempts:int subject_id:id? created_at:time finished_at:time
SELECT job_id, queue, kind, attempts, subject_id, created_at, finished_at
FROM v_job_history
WHERE tenant_id = :tenant AND job_id < :before AND (:queue IS NULL OR queue = :queue) AND :live
ORDER BY job_id DESC
LIMIT :limit;

-- :name job_get
-- :one
-- :pools front
-- :in job_id:id
-- :out job_id:id queue:text(16) kind:text(32) state:text(8) run_at:time attempts:int subject_id:id? error_code:text(64)? error_message:text(500)? created_at:time
SELECT job_id, queue, kind, IF(state = 'dead', 'dead', IF(worker IS NULL, 'waiting', 'running')) AS state, run_at, attempts,
	subject_id, error_code, error_message, created_at
FROM v_job WHERE tenant_id = :tenant AND job_id = :job_id AND :live;

-- :name job_get_done
-- :one
-- :pools front
-- :in job_id:id
-- :out job_id:id queue:text(16) kind:text(32) attempts:int subject_id:id? created_at:time finished_at:time
SELECT job_id, queue, kind, attempts, subject_id, created_at, finished_at
FROM v_job_history WHERE tenant_id = :tenant AND job_id = :job_id AND :live;

-- From the dead: with its attempts counted anew.
-- :name job_revive
-- :exec
-- :pools front
-- :in job_id:id
UPDATE v_job SET state = 'live', run_at = :now, attempts = 0
WHERE tenant_id = :tenant AND job_id = :job_id AND state = 'dead';

-- Spread over the next minute, so that what failed together doesn't come back together.
-- :name job_revive_all
-- :exec
-- :pools front
-- :in queue:text(16)? limit:int
UPDATE v_job SET state = 'live', run_at = :now + 100 * (CONV(HEX(RIGHT(job_id, 2)), 16, 10) % 600), attempts = 0
WHERE tenant_id = :tenant AND state = 'dead' AND (:queue IS NULL OR queue = :queue)
ORDER BY job_id
LIMIT :limit;

-- :name job_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_job WHERE tenant_id = :tenant;
