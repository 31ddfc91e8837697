-- Expressions that statements share: `:live` in a statement stands for the text below.
-- The tables that a macro names are exempt from the rule that a pool sees views only.

-- The caller's session is still live: not revoked, not expired, and of the role that its token says.
-- It reads the table, not a view: the key is the session's own id, and the tenant is compared.
-- For a principal without a session, or one that was checked already, the store runs another text of
-- the statement, in which TRUE stands here. (A parameter in front, `? OR EXISTS ...`, would save
-- nothing: MariaDB optimises the subquery whatever the parameter says.)
-- :macro live
EXISTS (SELECT 1 FROM session live_session
	WHERE live_session.session_id = :session AND live_session.tenant_id = :tenant
	AND live_session.user_id = :user AND live_session.role = :role
	AND live_session.revoked_at IS NULL AND live_session.expires_at > :now)
