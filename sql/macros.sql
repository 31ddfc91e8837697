-- Expressions that statements share: `:live` in a statement stands for the text below.
-- The tables that a macro names are exempt from the rule that a pool sees views only.

-- The caller's session is still live: not revoked, not expired, and of the tenant, user and role that its token says
-- (`holder` is all three in one, and NULL once the session is revoked: each comparison costs MariaDB a microsecond).
-- It reads the table, not a view: the key is the session's own id, and the tenant is compared.
-- :macro session_lives
live_session.session_id = :session AND live_session.holder = :holder AND live_session.expires_at > :now

-- One of the conditions in WHERE.
-- For a principal without a session, or one that was checked already, the store runs another text of
-- the statement, in which TRUE stands here. (A parameter in front, `? OR EXISTS ...`, would save
-- nothing: MariaDB optimises the subquery whatever the parameter says.)
-- :macro live
EXISTS (SELECT 1 FROM session live_session WHERE :session_lives)

-- The same for the statements that are run most, behind the tables in FROM: a join with one row of a
-- primary key costs MariaDB half of what a subquery does. The columns of the others need their alias.
-- In the other text of the statement nothing stands here.
-- :macro live_join
JOIN session live_session USE INDEX (PRIMARY) ON (:session_lives)
