-- External issuers: their keys, and the people whom their tokens name.

-- The gate of every request with a token of an external issuer: the person, and the tenant that the
-- issuer's claim stands for.
-- :name issuer_enter
-- :one
-- :binds
-- :pools front vault
-- :global the issuer's token says who asks and for which tenant
-- :in issuer:text(255) subject:text(255) claim:text(100) value:text(255)
-- :out tenant_id:id user_id:id role:text(16)
SELECT @lw_tenant := m.tenant_id AS tenant_id, m.user_id, m.role
FROM v_user u
JOIN issuer_tenant i ON i.issuer = u.issuer AND i.claim = :claim AND i.value = :value
JOIN tenant t ON t.tenant_id = i.tenant_id
JOIN membership m ON m.tenant_id = i.tenant_id AND m.user_id = u.user_id
WHERE u.issuer = :issuer AND u.subject = :subject AND u.disabled_at IS NULL AND t.deleted_at IS NULL;

-- :name issuer_user
-- :one
-- :pools front vault
-- :in issuer:text(255) subject:text(255)
-- :out user_id:id disabled_at:time?
SELECT user_id, disabled_at FROM v_user WHERE issuer = :issuer AND subject = :subject FOR UPDATE;

-- :name issuer_user_insert
-- :exec
-- :pools front vault
-- :in user_id:id email:text(254) name:text(200)? issuer:text(255) subject:text(255) email_verified_at:time?
INSERT INTO v_user (user_id, email, name, issuer, subject, email_verified_at, created_at, updated_at)
VALUES (:user_id, :email, :name, :issuer, :subject, :email_verified_at, :now, :now);

-- :name issuer_tenant_get
-- :one
-- :pools front vault
-- :global the issuer's claim says which tenant
-- :in issuer:text(255) claim:text(100) value:text(255)
-- :out tenant_id:id deleted_at:time?
SELECT i.tenant_id, t.deleted_at
FROM issuer_tenant i
JOIN tenant t ON t.tenant_id = i.tenant_id
WHERE i.issuer = :issuer AND i.claim = :claim AND i.value = :value;

-- :name issuer_tenant_insert
-- :exec
-- :pools front vault
-- :global the issuer's claim says which tenant
-- :in issuer:text(255) claim:text(100) value:text(255)
INSERT INTO issuer_tenant (issuer, claim, value, tenant_id) VALUES (:issuer, :claim, :value, :tenant);

-- :name issuer_join_insert
-- :exec
-- :pools front vault
-- :in user_id:id
INSERT INTO v_issuer_join (tenant_id, user_id, created_at) VALUES (:tenant, :user_id, :now);

-- :name jwks_get
-- :one
-- :pools front vault worker
-- :in issuer:text(255)
-- :out document:json fetched_at:time
SELECT document, fetched_at FROM jwks WHERE issuer = :issuer;

-- :name jwks_put
-- :exec
-- :pools worker
-- :in issuer:text(255) document:json fetched_at:time
INSERT INTO jwks (issuer, document, fetched_at) VALUES (:issuer, :document, :fetched_at)
ON DUPLICATE KEY UPDATE document = VALUES(document), fetched_at = VALUES(fetched_at);

-- A pool met a key id that it doesn't know. At most once a minute for each issuer.
-- :name jwks_want
-- :exec
-- :pools front vault
-- :in issuer:text(255) wanted_at:time before:time
INSERT INTO jwks_refresh (issuer, wanted_at, tried_at) VALUES (:issuer, :wanted_at, 0)
ON DUPLICATE KEY UPDATE wanted_at = IF(wanted_at < :before, VALUES(wanted_at), wanted_at);

-- :name jwks_state
-- :one
-- :pools worker
-- :in issuer:text(255)
-- :out wanted_at:time tried_at:time
SELECT wanted_at, tried_at FROM jwks_refresh WHERE issuer = :issuer;

-- :name jwks_try
-- :exec
-- :pools worker
-- :in issuer:text(255) tried_at:time
INSERT INTO jwks_refresh (issuer, wanted_at, tried_at) VALUES (:issuer, 0, :tried_at)
ON DUPLICATE KEY UPDATE tried_at = VALUES(tried_at);
