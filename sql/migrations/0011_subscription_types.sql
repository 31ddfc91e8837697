-- Types of events may have spaces (GitLab's "Push Hook"): a line break stands between two of them. No type had a space so far.
UPDATE subscription SET event_types = REPLACE(event_types, ' ', '\n') WHERE event_types IS NOT NULL;
ALTER TABLE subscription MODIFY event_types VARCHAR(2000) NULL COMMENT 'a line break between two; NULL: all';
