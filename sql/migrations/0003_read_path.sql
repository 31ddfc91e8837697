-- What reads are answered from.

-- A credential as answers show it, kept beside the columns that it is made of: a read then takes one column
-- and not seventeen. NULL means that it must be made anew, so rows need no filling. It is no BLOB, and stands in
-- front: that way InnoDB reads the rows of a list several at a time, up to this column.
ALTER TABLE credential ADD COLUMN answer VARBINARY(4000) NULL
	COMMENT 'src/vault/answer.h says how it is made' AFTER credential_id;

-- Whoever changes a row and doesn't bring a new answer loses the old one: it can't say what is no longer so.
CREATE TRIGGER credential_answer BEFORE UPDATE ON credential FOR EACH ROW
SET NEW.answer = IF(NEW.answer <=> OLD.answer, NULL, NEW.answer);

-- What the check of a session compares, in one piece.
ALTER TABLE session ADD COLUMN
	holder VARBINARY(96) AS (IF(revoked_at IS NULL, CONCAT(tenant_id, user_id, role), NULL)) STORED
	COMMENT 'who acts in it, and where; NULL: nobody any more';
