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
