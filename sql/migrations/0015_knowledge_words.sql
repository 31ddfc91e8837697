-- A search walks through the words of its tenant only: each has the tenant's mark in front (see knowledge/words.h), so that
-- what the index knows of a word, its passages and how rare it is, is the tenant's own.
ALTER TABLE knowledge_passage ADD COLUMN words TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL DEFAULT ''
	COMMENT 'each word of the text once, behind the mark of the tenant';

-- Those that are there: with words that nobody asks for, and some of them twice, until they are written again.
UPDATE knowledge_passage SET words = REGEXP_REPLACE(text, '(*UCP)(\\w+)', CONCAT(LOWER(HEX(RIGHT(tenant_id, 5))), '\\1'));

ALTER TABLE knowledge_passage DROP KEY text;
ALTER TABLE knowledge_passage ADD FULLTEXT KEY words (words);
