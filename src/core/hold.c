#include "core/hold.h"

#include <string.h>

#include "core/ctx.h"

static enum err run_alone(struct ctx *cx, const struct hold *hold, struct reply *reply)
{
	struct hold_outcome outcome;

	outcome.e = hold->shared->run(cx->db, hold->in, 1, outcome.row);
	return hold->resume(cx, hold->arg, outcome.e, outcome.row, reply);
}

enum err hold_for(struct ctx *cx, const struct shared *shared, const void *in, hold_resume *resume, void *arg,
		  struct reply *reply)
{
	const struct hold hold = { shared, in, resume, arg };

	if (!cx->may_hold)
		return run_alone(cx, &hold, reply);
	cx->hold = hold;
	return OK;
}

/* What a statement can see is the same for both. */
static bool is_same_caller(const struct principal *a, const struct principal *b)
{
	return id_eq(&a->tenant, &b->tenant) && id_eq(&a->user, &b->user) && id_eq(&a->session, &b->session) &&
	       a->role == b->role && a->live == b->live;
}

/* The places of those that see the same as the first that is left; they are left no longer. 0: none is. */
static size_t of_caller(struct ctx *const *cx, size_t n, bool *left, size_t *places)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!left[i] || (count > 0 && !is_same_caller(&cx[places[0]]->who, &cx[i]->who)))
			continue;
		left[i] = false;
		places[count++] = i;
	}
	return count;
}

enum err hold_by_caller(struct ctx *const *cx, size_t n, hold_read *read, void *arg)
{
	size_t places[HOLD_TOGETHER_MAX], count;
	bool left[HOLD_TOGETHER_MAX];

	memset(left, true, sizeof(left));
	while ((count = of_caller(cx, n, left, places)) > 0) {
		ctx_enter(cx[places[0]]);
		TRY(read(arg, places, count));
	}
	return OK;
}

/* Those of one statement, by their places in hold[] and outcomes[]. */
struct party {
	struct db *db;
	const struct hold *const *hold;
	struct hold_outcome *outcomes;
	size_t place[HOLD_TOGETHER_MAX];
	size_t n;
};

/* With the first of those that are left as many as go together with it; they are left no longer. */
static void gather(struct party *party, size_t all, bool *left)
{
	const struct shared *shared = NULL;

	party->n = 0;
	for (size_t i = 0; i < all; i++) {
		if (!left[i] || (shared && (party->hold[i]->shared != shared || party->n == shared->most)))
			continue;
		shared = party->hold[i]->shared;
		party->place[party->n++] = i;
		left[i] = false;
	}
}

static enum err run_party(const struct party *party)
{
	alignas(max_align_t) char in[HOLD_TOGETHER_MAX * HOLD_IN_MAX], rows[HOLD_TOGETHER_MAX * HOLD_ROW_MAX];
	const struct shared *shared = party->hold[party->place[0]]->shared;
	enum err e;

	for (size_t i = 0; i < party->n; i++)
		memcpy(in + i * shared->in_size, party->hold[party->place[i]]->in, shared->in_size);
	e = shared->run(party->db, in, party->n, rows);
	for (size_t i = 0; i < party->n; i++) {
		struct hold_outcome *outcome = &party->outcomes[party->place[i]];

		outcome->e = e;
		if (e == OK)
			memcpy(outcome->row, rows + i * shared->row_size, shared->row_size);
	}
	return e;
}

/* Without the database it is no use, and where the outcome is open it could be done twice. */
static bool is_worth_another_try(enum err e) { return e != OK && e != ERR_DB_LOST && e != ERR_DB_UNSURE; }

static void run_one_by_one(struct party *party)
{
	for (size_t i = 0; i < party->n; i++) {
		struct party alone = { party->db, party->hold, party->outcomes, { party->place[i] }, 1 };

		(void)!run_party(&alone);
	}
}

void hold_run_all(struct db *db, const struct hold *const *hold, size_t n, struct hold_outcome *outcomes)
{
	struct party party = { .db = db, .hold = hold, .outcomes = outcomes };
	bool left[HOLD_TOGETHER_MAX];

	memset(left, true, sizeof(left));
	for (gather(&party, n, left); party.n > 0; gather(&party, n, left))
		if (is_worth_another_try(run_party(&party)) && party.n > 1)
			run_one_by_one(&party);
}
