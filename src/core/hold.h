/*
 * Asking the database together: what several requests of one worker want to commit at the same moment goes into one
 * statement and so into one commit, with one wait for the disk; what they want to read, into one round trip. A
 * handler that has come as far as that one statement holds its request; when the others of the worker's round have come
 * as far, or there is none, it is resumed with the outcome.
 */
#ifndef LW_CORE_HOLD_H
#define LW_CORE_HOLD_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct ctx;
struct db;
struct reply;

/* A statement that several requests can share. */
struct shared {
	bool checks_session; /* a row proves that the session is live; resume notes it in cx->who.live */
	size_t in_size;  /* of one request's share, at most HOLD_IN_MAX */
	size_t row_size; /* of its outcome, at most HOLD_ROW_MAX */
	size_t most;     /* shares in one statement, at most HOLD_TOGETHER_MAX */
	/*
	 * All of in[n] or none: the outcomes in ret_rows[n]. Not within a transaction, and in nobody's scope: a
	 * statement that has one enters it.
	 */
	enum err (*run)(struct db *db, const void *in, size_t n, void *ret_rows);
};

enum { HOLD_IN_MAX = 512, HOLD_ROW_MAX = 64, HOLD_TOGETHER_MAX = 24 };

/*
 * Goes on with a request, once: `e` is how the statement went, `row` its outcome (of OK only). Everything is as it was
 * when it was held, but for rows of statements: those have been overwritten. What it returns is the handler's outcome.
 */
typedef enum err hold_resume(struct ctx *cx, void *arg, enum err e, const void *row, struct reply *reply);

struct hold {
	const struct shared *shared; /* NULL: the request isn't held */
	const void *in;
	hold_resume *resume;
	void *arg;
};

/*
 * Holds the request, and returns OK: the handler ends without an answer. `in`, what it points to and `arg` live as long
 * as the request, so they are in its arena. In a context that can't wait (a job, a second try), the statement runs and
 * the request goes on at once: that's the outcome then.
 */
enum err hold_for(struct ctx *cx, const struct shared *shared, const void *in, hold_resume *resume, void *arg,
		  struct reply *reply) MUST_CHECK;

/*
 * For a statement that reads as its caller: calls `read` with the places of those of cx[n] that see the same, in their
 * scope, until each has had its turn; n is at most HOLD_TOGETHER_MAX. Ends with the first error.
 */
typedef enum err hold_read(void *arg, const size_t *places, size_t count);
enum err hold_by_caller(struct ctx *const *cx, size_t n, hold_read *read, void *arg) MUST_CHECK;

struct hold_outcome {
	enum err e;
	alignas(max_align_t) char row[HOLD_ROW_MAX];
};

/*
 * Runs what hold[n] wait for, with as few statements as there can be; outcomes[i] is of hold[i]. A share that fails
 * takes no other with it: then each runs alone.
 */
void hold_run_all(struct db *db, const struct hold *const *hold, size_t n, struct hold_outcome *outcomes);

#endif
