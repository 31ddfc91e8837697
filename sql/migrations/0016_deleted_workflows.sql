-- Workflows that were deleted before their versions were looked at.
UPDATE workflow SET versions_due_at = 0 WHERE deleted_at IS NOT NULL;
