-- People. The front sees them through v_user, without their password hashes.

-- Whether the client's address is one that this person signed in from lately decides with the same row.
-- :name user_for_login
-- :one
-- :wipe
-- :pools vault
-- :in email_key:text(254) address:text(45) since:time
-- :out user_id:id password_hash:text(255)? disabled_at:time? known:bool
-- :global signing in is what makes the tenant known
SELECT u.user_id, u.password_hash, u.disabled_at,
	EXISTS (SELECT 1 FROM session s
		WHERE s.user_id = u.user_id AND s.address = :address AND s.created_at > :since) AS known
FROM user u
WHERE u.email_key = :email_key;

-- :name user_by_email
-- :one
-- :pools front vault ctl
-- :in email_key:text(254)
-- :out user_id:id email:text(254) name:text(200)? disabled_at:time?
SELECT user_id, email, name, disabled_at FROM v_user WHERE email_key = :email_key;

-- :name user_get
-- :one
-- :pools front vault ctl
-- :in user_id:id
-- :out email:text(254) email_key:text(254)? name:text(200)? email_verified_at:time? disabled_at:time? created_at:time
SELECT email, email_key, name, email_verified_at, disabled_at, created_at FROM v_user WHERE user_id = :user_id;

-- The hash that a sign-in was checked by, held until the session is stored: whoever changes the password meanwhile
-- either waits, and ends that session, or was first.
-- :name user_password_held
-- :one
-- :wipe
-- :pools vault
-- :in user_id:id
-- :out password_hash:text(255)?
SELECT password_hash FROM user WHERE user_id = :user_id LOCK IN SHARE MODE;

-- :name user_password
-- :one
-- :wipe
-- :pools vault
-- :out password_hash:text(255)?
SELECT password_hash FROM user WHERE user_id = :user AND disabled_at IS NULL;

-- :name user_insert
-- :exec
-- :wipe
-- :pools vault ctl
-- :in user_id:id email:text(254) email_key:text(254) name:text(200)? password_hash:text(255)? email_verified_at:time?
INSERT INTO user (user_id, email, email_key, name, password_hash, email_verified_at, created_at, updated_at)
VALUES (:user_id, :email, :email_key, :name, :password_hash, :email_verified_at, :now, :now);

-- :name user_set_password
-- :exec
-- :wipe
-- :pools vault ctl
-- :in user_id:id password_hash:text(255)
UPDATE user SET password_hash = :password_hash, updated_at = :now WHERE user_id = :user_id;

-- A mailed link that came back proves the address.
-- :name user_verify_email
-- :exec
-- :pools front vault
-- :in user_id:id
UPDATE v_user SET email_verified_at = COALESCE(email_verified_at, :now), updated_at = :now WHERE user_id = :user_id;

-- :name user_lock
-- :one
-- :pools front
-- :out updated_at:time
SELECT updated_at FROM v_user WHERE user_id = :user FOR UPDATE;

-- :name user_rename
-- :exec
-- :pools front
-- :in name:text(200)
UPDATE v_user SET name = :name, updated_at = :now WHERE user_id = :user;

-- The person, and one row for each tenant.
-- :name user_me
-- :many
-- :pools front
-- :global a person's own memberships, in all tenants
-- :out email:text(254) name:text(200)? email_verified_at:time? created_at:time tenant_id:id tenant_name:text(200) tenant_created_at:time role:text(16)
SELECT u.email, u.name, u.email_verified_at, u.created_at, m.tenant_id, t.name AS tenant_name,
	t.created_at AS tenant_created_at, m.role
FROM v_user u
JOIN membership m ON m.user_id = u.user_id
JOIN tenant t ON t.tenant_id = m.tenant_id
:live_join
WHERE u.user_id = :user AND t.deleted_at IS NULL
ORDER BY m.created_at, m.tenant_id;

-- :name user_disable
-- :exec
-- :pools ctl
-- :in user_id:id
UPDATE v_user SET disabled_at = COALESCE(disabled_at, :now), updated_at = :now WHERE user_id = :user_id;

-- :name user_enable
-- :exec
-- :pools ctl
-- :in user_id:id
UPDATE v_user SET disabled_at = NULL, updated_at = :now WHERE user_id = :user_id;

-- :name user_list
-- :many
-- :pools ctl
-- :in after:id limit:int
-- :out user_id:id email:text(254) name:text(200)? issuer:text(255)? email_verified_at:time? disabled_at:time? created_at:time
SELECT user_id, email, name, issuer, email_verified_at, disabled_at, created_at
FROM v_user
WHERE user_id > :after
ORDER BY user_id
LIMIT :limit;
