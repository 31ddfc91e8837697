/*
 * The chain over the audit trail: each sealed row has a position and the HMAC of
 * itself and of the row before it. Whoever changes, removes or reorders a row
 * without the key breaks the chain at that place; a cut-off end shows against a
 * head that was noted elsewhere.
 */
#ifndef LW_AUDIT_SEAL_H
#define LW_AUDIT_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypt/encode.h"
#include "crypt/hash.h"
#include "store/db.h"

/* The newest sealed row; position 0: the chain is empty. */
struct audit_head {
	int64_t position;
	uint8_t hash[SHA256_BYTES];
};

/* "17:9f86d0…", as the operator keeps it elsewhere: the position in decimal, a colon, the hash in hex. */
enum { AUDIT_HEAD_TEXT_MAX = STR_INT_MAX + 1 + HEX_CHARS(SHA256_BYTES) + 1 };
struct str audit_head_text(const struct audit_head *head, char text[AUDIT_HEAD_TEXT_MAX]);
/* False for any other text. */
bool audit_head_parse(struct str text, struct audit_head *ret_head) MUST_CHECK;

/* Gives the key that sealed rows of that generation (vault_system_key). */
typedef enum err (*audit_key_of)(void *arg, uint32_t generation, struct secret *ret_key);

/*
 * How long after a row was made it may be committed, and so be seen: most at once. No transaction lives for ten
 * minutes. Whoever looks for the last ones reads all rows of that time.
 */
enum { AUDIT_SOON_MS = 2000, AUDIT_AT_LAST_MS = 10 * 60 * 1000 };

/* How far a process had sealed the trail at its last calls, the newest first: it needn't read there again. */
struct audit_seen {
	struct {
		int64_t at_ms, seq; /* 0: there was no such call */
	} mark[4];
};

/*
 * Seals what has been committed, at most some ten thousand rows a call; ret_sealed counts them. What was made before
 * `settled_ms` and isn't sealed while later rows are, is left to a call that looks further back. One process at a time
 * seals: ERR_DB_LOCKED when another one is at it. The caller is in no transaction. `seen` (zeroed at first; may be
 * NULL) is read and brought up to date.
 */
enum err audit_seal(struct db *db, const struct secret *key, uint32_t generation, int64_t settled_ms,
		    struct audit_seen *seen, int64_t *ret_sealed, struct audit_head *ret_head) MUST_CHECK;

/* A row that was moved reads as changed: its place is part of what is sealed. */
enum audit_fault { AUDIT_INTACT, AUDIT_CHANGED, AUDIT_REMOVED, AUDIT_TRUNCATED };

struct audit_verdict {
	enum audit_fault fault;
	int64_t position; /* the first bad place, or the head's */
	int64_t seq;      /* the row there; 0: it is gone */
	int64_t checked;
	int64_t unsealed; /* rows that no seal covers yet */
	struct audit_head head;
};

/*
 * Checks the whole chain. `noted` (may be NULL) is a head that was kept elsewhere: it must still be in the
 * chain. `progress` (may be NULL) is called now and then. Errors are the database's; a fault is a verdict.
 */
enum err audit_verify(struct db *db, audit_key_of key_of, void *arg, const struct audit_head *noted,
		      void (*progress)(void *arg, int64_t checked), struct audit_verdict *ret_verdict) MUST_CHECK;

const char *audit_fault_text(enum audit_fault fault);

#endif
