-- What a tenant tells its models: sources, and the passages that their texts were cut into.

-- :name knowledge_insert
-- :exec
-- :pools front
-- :in knowledge_id:id kind:text(8) title:text(300) source:text(2048)? status:text(12) characters:int
INSERT INTO v_knowledge (tenant_id, knowledge_id, kind, title, source, status, error_code, error_message, enabled, characters,
	created_by, created_at, updated_at)
VALUES (:tenant, :knowledge_id, :kind, :title, :source, :status, NULL, NULL, 1, :characters, :user, :now, :now);

-- :name knowledge_list
-- :many
-- :pools front
-- :in before:id limit:int
-- :out knowledge_id:id kind:text(8) title:text(300) source:text(2048)? status:text(12) error_code:text(64)? error_message:text(500)? enabled:bool characters:int created_by:id created_at:time updated_at:time
SELECT knowledge_id, kind, title, source, status, error_code, error_message, enabled, characters, created_by, created_at,
	updated_at
FROM v_knowledge WHERE tenant_id = :tenant AND knowledge_id < :before AND :live
ORDER BY knowledge_id DESC
LIMIT :limit;

-- :name knowledge_get
-- :one
-- :pools front
-- :in knowledge_id:id
-- :out knowledge_id:id kind:text(8) title:text(300) source:text(2048)? status:text(12) error_code:text(64)? error_message:text(500)? enabled:bool characters:int created_by:id created_at:time updated_at:time
SELECT knowledge_id, kind, title, source, status, error_code, error_message, enabled, characters, created_by, created_at,
	updated_at
FROM v_knowledge WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id AND :live;

-- :name knowledge_lock
-- :one
-- :pools front worker
-- :in knowledge_id:id
-- :out knowledge_id:id kind:text(8) title:text(300) source:text(2048)? status:text(12) error_code:text(64)? error_message:text(500)? enabled:bool characters:int created_by:id created_at:time updated_at:time
SELECT knowledge_id, kind, title, source, status, error_code, error_message, enabled, characters, created_by, created_at,
	updated_at
FROM v_knowledge WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id FOR UPDATE;

-- What there is, each that waits counted as what it may become.
-- :name knowledge_room
-- :one
-- :pools front
-- :in waiting:int
-- :out sources:int characters:int
SELECT COUNT(*) AS sources,
	CAST(COALESCE(SUM(CASE WHEN status = 'waiting' THEN :waiting ELSE characters END), 0) AS SIGNED) AS characters
FROM v_knowledge WHERE tenant_id = :tenant;

-- :name knowledge_update
-- :exec
-- :pools front
-- :in knowledge_id:id title:text(300) enabled:bool characters:int updated_at:time
UPDATE v_knowledge SET title = :title, enabled = :enabled, characters = :characters, updated_at = :updated_at
WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id;

-- :name knowledge_ready
-- :exec
-- :pools worker
-- :in knowledge_id:id title:text(300) characters:int
UPDATE v_knowledge SET title = :title, status = 'ready', error_code = NULL, error_message = NULL, characters = :characters,
	updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id;

-- :name knowledge_failed
-- :exec
-- :pools worker
-- :in knowledge_id:id error_code:text(64) error_message:text(500)
UPDATE v_knowledge SET status = 'failed', error_code = :error_code, error_message = :error_message,
	updated_at = GREATEST(:now, updated_at + 1)
WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id AND status = 'waiting';

-- :name knowledge_delete
-- :exec
-- :pools front
-- :in knowledge_id:id
DELETE FROM v_knowledge WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id;

-- --- files ---------------------------------------------------------------------------

-- :name knowledge_file_insert
-- :exec
-- :pools front
-- :in knowledge_id:id body:bytes(4194304)
INSERT INTO v_knowledge_file (tenant_id, knowledge_id, body) VALUES (:tenant, :knowledge_id, :body);

-- The next piece of it: a statement's value is 4 MiB at most.
-- :name knowledge_file_append
-- :exec
-- :pools front
-- :in knowledge_id:id piece:bytes(4194304)
UPDATE v_knowledge_file SET body = CONCAT(body, :piece) WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id;

-- From that byte on, the first of which is 1.
-- :name knowledge_file_piece
-- :one
-- :pools worker
-- :in knowledge_id:id at:int bytes:int
-- :out piece:bytes(1048576)
SELECT SUBSTRING(body, :at, :bytes) AS piece FROM v_knowledge_file WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id;

-- :name knowledge_file_delete
-- :exec
-- :pools front worker
-- :in knowledge_id:id
DELETE FROM v_knowledge_file WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id;

-- --- passages --------------------------------------------------------------------------

-- :name knowledge_passage_insert
-- :exec
-- :pools front worker
-- :in knowledge_id:id position:int text:text(2000) words:text(8000)
INSERT INTO v_knowledge_passage (tenant_id, knowledge_id, position, text, words)
VALUES (:tenant, :knowledge_id, :position, :text, :words);

-- :name knowledge_passage_list
-- :many
-- :pools front
-- :in knowledge_id:id limit:int
-- :out text:text(2000)
SELECT text FROM v_knowledge_passage WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id
ORDER BY position
LIMIT :limit;

-- :name knowledge_passage_delete
-- :exec
-- :pools front worker
-- :in knowledge_id:id
DELETE FROM v_knowledge_passage WHERE tenant_id = :tenant AND knowledge_id = :knowledge_id;

-- In natural language, which is what AGAINST takes when nothing is said. Best first. The words are marked as the index's
-- are: it looks at nobody else's.
-- :name knowledge_pick
-- :many
-- :pools vault worker
-- :in words:text(8000) limit:int
-- :out title:text(300) text:text(2000)
SELECT k.title, p.text
FROM v_knowledge_passage p
JOIN v_knowledge k ON k.tenant_id = p.tenant_id AND k.knowledge_id = p.knowledge_id
WHERE p.tenant_id = :tenant AND k.tenant_id = :tenant AND k.enabled = 1
	AND MATCH (p.words) AGAINST (:words)
ORDER BY MATCH (p.words) AGAINST (:words) DESC, p.knowledge_id DESC, p.position
LIMIT :limit;

-- For what the index doesn't know: words that are too short, and scripts without spaces. Of the newest `most` passages.
-- :name knowledge_pick_pieces
-- :many
-- :pools vault worker
-- :in a:text(100) b:text(100)? c:text(100)? d:text(100)? e:text(100)? f:text(100)? most:int limit:int
-- :out title:text(300) text:text(2000)
SELECT title, text
FROM (
	SELECT k.title, p.knowledge_id, p.position, p.text,
		(LOCATE(:a, p.text) > 0) + COALESCE(LOCATE(:b, p.text) > 0, 0) + COALESCE(LOCATE(:c, p.text) > 0, 0)
			+ COALESCE(LOCATE(:d, p.text) > 0, 0) + COALESCE(LOCATE(:e, p.text) > 0, 0)
			+ COALESCE(LOCATE(:f, p.text) > 0, 0) AS found
	FROM v_knowledge k
	JOIN v_knowledge_passage p ON p.tenant_id = k.tenant_id AND p.knowledge_id = k.knowledge_id
	WHERE k.tenant_id = :tenant AND p.tenant_id = :tenant AND k.enabled = 1
	ORDER BY k.knowledge_id DESC
	LIMIT :most
) newest
WHERE found > 0
ORDER BY found DESC, knowledge_id DESC, position
LIMIT :limit;

-- --- a tenant as a whole ------------------------------------------------------------------

-- :name knowledge_forget_passages
-- :exec
-- :pools ctl
DELETE FROM v_knowledge_passage WHERE tenant_id = :tenant;

-- :name knowledge_forget_files
-- :exec
-- :pools ctl
DELETE FROM v_knowledge_file WHERE tenant_id = :tenant;

-- :name knowledge_forget_all
-- :exec
-- :pools ctl
DELETE FROM v_knowledge WHERE tenant_id = :tenant;
