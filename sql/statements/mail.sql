-- The outbox of mails; payloads are sealed.

-- :name mail_insert
-- :exec
-- :pools front vault
-- :in mail_id:id kind:text(32) recipient:text(254) payload:bytes(4096)
INSERT INTO mail (mail_id, kind, recipient, payload, created_at) VALUES (:mail_id, :kind, :recipient, :payload, :now);

-- :name mail_recent
-- :many
-- :pools ctl
-- :in before:id limit:int
-- :out mail_id:id kind:text(32) recipient:text(254) payload:bytes(4096) created_at:time sent_at:time?
SELECT mail_id, kind, recipient, payload, created_at, sent_at
FROM mail
WHERE mail_id < :before
ORDER BY mail_id DESC
LIMIT :limit;

-- :name mail_expire
-- :exec
-- :pools worker
-- :in before:id limit:int
DELETE FROM mail WHERE mail_id < :before ORDER BY mail_id LIMIT :limit;
