-- The worker deletes invitations by their end, and locks no others on its way there.
ALTER TABLE invitation ADD KEY expires_at (expires_at);
