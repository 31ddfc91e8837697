-- The outbox of mails; payloads are sealed.

-- :name mail_insert
-- :exec
-- :pools front vault
-- :in mail_id:id kind:text(32) recipient:text(254) payload:bytes(4096)
INSERT INTO mail (mail_id, kind, recipient, payload, created_at) VALUES (:mail_id, :kind, :recipient, :payload, :now);

-- :name mail_unsent
-- :many
-- :pools ctl
-- :in before:id recipient:text(254)? limit:int
-- :out mail_id:id kind:text(32) recipient:text(254) payload:bytes(4096) created_at:time
SELECT mail_id, kind, recipient, payload, created_at
FROM mail
WHERE mail_id < :before AND sent_at IS NULL AND (:recipient IS NULL OR recipient = :recipient)
ORDER BY mail_id DESC
LIMIT :limit;

-- :name mail_get
-- :one
-- :pools worker
-- :in mail_id:id
-- :out recipient:text(254) payload:bytes(4096) sent_at:time?
SELECT recipient, payload, sent_at FROM mail WHERE mail_id = :mail_id;

-- :name mail_mark_sent
-- :exec
-- :pools worker
-- :in mail_id:id
UPDATE mail SET sent_at = :now WHERE mail_id = :mail_id;

-- :name mail_expire
-- :exec
-- :pools worker
-- :in before:id limit:int
DELETE FROM mail WHERE mail_id < :before ORDER BY mail_id LIMIT :limit;
