-- Models, the agents that use them, what was said, and what it cost.

-- The key of a provider that the short form keeps.
-- :name model_key
-- :one
-- :pools vault worker
-- :in service:text(64)
-- :out credential_id:id
SELECT credential_id FROM v_credential
WHERE tenant_id = :tenant AND key_service = :service AND deleted_at IS NULL;

-- :name ai_usage_insert
-- :exec
-- :pools vault worker
-- :in usage_id:id provider:text(16) model:text(128) source:text(12) source_id:id? tokens_in:int tokens_out:int outcome:text(64) duration_ms:int created_at:time
INSERT INTO v_ai_usage (tenant_id, usage_id, provider, model, source, source_id, tokens_in, tokens_out, outcome, duration_ms,
	created_at)
VALUES (:tenant, :usage_id, :provider, :model, :source, :source_id, :tokens_in, :tokens_out, :outcome, :duration_ms,
	:created_at);

-- :name ai_usage_list
-- :many
-- :pools front
-- :in before:id limit:int
-- :out usage_id:id provider:text(16) model:text(128) source:text(12) source_id:id? tokens_in:int tokens_out:int outcome:text(64) duration_ms:int created_at:time
SELECT usage_id, provider, model, source, source_id, tokens_in, tokens_out, outcome, duration_ms, created_at
FROM v_ai_usage WHERE tenant_id = :tenant AND usage_id < :before AND :live
ORDER BY usage_id DESC
LIMIT :limit;

-- :name ai_usage_expire
-- :exec
-- :pools worker
-- :global upkeep of every tenant's rows
-- :in before:time limit:int
DELETE FROM ai_usage WHERE created_at < :before ORDER BY created_at LIMIT :limit;

-- What a workflow that is made from words may call.
-- :name ai_connectors
-- :many
-- :pools vault
-- :in limit:int
-- :out connector_id:id connector_type:text(64) display_name:text(200)
SELECT connector_id, connector_type, display_name
FROM v_connector WHERE tenant_id = :tenant AND status <> 'disabled' AND :live
ORDER BY connector_id DESC
LIMIT :limit;

-- --- agents ---------------------------------------------------------------------------

-- :name agent_insert
-- :exec
-- :pools front
-- :in agent_id:id name:text(200) description:text(2000) provider:text(16)? model:text(128)? credential_id:id? instructions:text(20000) use_knowledge:bool connectors:text(4000) fallback:text(2000)?
INSERT INTO v_agent (tenant_id, agent_id, name, description, provider, model, credential_id, instructions, use_knowledge,
	connectors, fallback, created_by, created_at, updated_at)
VALUES (:tenant, :agent_id, :name, :description, :provider, :model, :credential_id, :instructions, :use_knowledge,
	:connectors, :fallback, :user, :now, :now);

-- :name agent_list
-- :many
-- :pools front
-- :in before:id limit:int
-- :out agent_id:id name:text(200) description:text(2000) provider:text(16)? model:text(128)? credential_id:id? instructions:text(20000) use_knowledge:bool connectors:text(4000) fallback:text(2000)? created_by:id created_at:time updated_at:time
SELECT agent_id, name, description, provider, model, credential_id, instructions, use_knowledge, connectors, fallback,
	created_by, created_at, updated_at
FROM v_agent WHERE tenant_id = :tenant AND agent_id < :before AND :live
ORDER BY agent_id DESC
LIMIT :limit;

-- :name agent_get
-- :one
-- :pools front vault worker
-- :in agent_id:id
-- :out agent_id:id name:text(200) description:text(2000) provider:text(16)? model:text(128)? credential_id:id? instructions:text(20000) use_knowledge:bool connectors:text(4000) fallback:text(2000)? created_by:id created_at:time updated_at:time
SELECT agent_id, name, description, provider, model, credential_id, instructions, use_knowledge, connectors, fallback,
	created_by, created_at, updated_at
FROM v_agent WHERE tenant_id = :tenant AND agent_id = :agent_id AND :live;

-- :name agent_named
-- :one
-- :pools vault worker
-- :in name:text(200)
-- :out agent_id:id name:text(200) description:text(2000) provider:text(16)? model:text(128)? credential_id:id? instructions:text(20000) use_knowledge:bool connectors:text(4000) fallback:text(2000)? created_by:id created_at:time updated_at:time
SELECT agent_id, name, description, provider, model, credential_id, instructions, use_knowledge, connectors, fallback,
	created_by, created_at, updated_at
FROM v_agent WHERE tenant_id = :tenant AND name = :name AND :live;

-- :name agent_lock
-- :one
-- :pools front
-- :in agent_id:id
-- :out updated_at:time created_by:id created_at:time
SELECT updated_at, created_by, created_at FROM v_agent WHERE tenant_id = :tenant AND agent_id = :agent_id FOR UPDATE;

-- :name agent_update
-- :exec
-- :pools front
-- :in agent_id:id name:text(200) description:text(2000) provider:text(16)? model:text(128)? credential_id:id? instructions:text(20000) use_knowledge:bool connectors:text(4000) fallback:text(2000)? updated_at:time
UPDATE v_agent SET name = :name, description = :description, provider = :provider, model = :model,
	credential_id = :credential_id, instructions = :instructions, use_knowledge = :use_knowledge,
	connectors = :connectors, fallback = :fallback, updated_at = :updated_at
WHERE tenant_id = :tenant AND agent_id = :agent_id;

-- :name agent_delete
-- :exec
-- :pools front
-- :in agent_id:id
DELETE FROM v_agent WHERE tenant_id = :tenant AND agent_id = :agent_id;

-- :name agent_count
-- :one
-- :pools front
-- :out agents:int
SELECT COUNT(*) AS agents FROM v_agent WHERE tenant_id = :tenant;

-- --- conversations ----------------------------------------------------------------------

-- The last of them, newest first.
-- :name agent_message_list
-- :many
-- :pools vault worker
-- :in conversation_id:id agent_id:id limit:int
-- :out message_id:id who:text(8) text:text(1048576)
SELECT message_id, who, text FROM v_agent_message
WHERE tenant_id = :tenant AND conversation_id = :conversation_id AND agent_id = :agent_id
ORDER BY message_id DESC
LIMIT :limit;

-- :name agent_message_insert
-- :exec
-- :pools vault worker
-- :in conversation_id:id message_id:id agent_id:id who:text(8) text:text(1048576) created_at:time
INSERT INTO v_agent_message (tenant_id, conversation_id, message_id, agent_id, who, text, created_at)
VALUES (:tenant, :conversation_id, :message_id, :agent_id, :who, :text, :created_at);

-- :name agent_message_expire
-- :exec
-- :pools worker
-- :global upkeep of every tenant's rows
-- :in before:time limit:int
DELETE FROM agent_message WHERE created_at < :before ORDER BY created_at LIMIT :limit;

-- --- a tenant as a whole ------------------------------------------------------------------

-- :name ai_forget_agents
-- :exec
-- :pools ctl
DELETE FROM v_agent WHERE tenant_id = :tenant;

-- :name ai_forget_messages
-- :exec
-- :pools ctl
DELETE FROM v_agent_message WHERE tenant_id = :tenant;

-- :name ai_forget_usage
-- :exec
-- :pools ctl
DELETE FROM v_ai_usage WHERE tenant_id = :tenant;
