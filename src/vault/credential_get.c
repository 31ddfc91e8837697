/*
 * GET /credentials/{id}. What is read most: the requests of a round that come from the same caller are answered with
 * one statement.
 */
#include <string.h>

#include "core/hold.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_credential.h"
#include "vault/answer.h"
#include "vault/credential.h"
#include "vault/row.h"

struct asked {
	struct ctx *cx;
	struct reply *reply;
	struct id credential;
};

struct found {
	bool is;   /* there is such a credential, and so the session is live */
	bool kept; /* its answer was kept; it is in the reply now, unless `e` */
	enum err e;
};

static enum err put_kept(const struct asked *asked, const struct kept_answer *kept)
{
	enum err e = ctx_put_tag(asked->cx, asked->reply, kept->tag);

	if (e != OK)
		return e == ERR_END ? OK : e;
	buf_add_str(&asked->reply->body, kept->json);
	return buf_error(&asked->reply->body);
}

static void take(const struct asked *asked, struct str answer, struct found *found)
{
	struct kept_answer kept;

	found->is = true;
	reply_reset(asked->reply); /* of what an earlier try has put there */
	found->kept = vault_take_answer(answer, &kept);
	found->e = found->kept ? put_kept(asked, &kept) : OK;
}

static enum err read_single(struct db *db, const struct asked *asked, struct found *found)
{
	const struct sql_credential_answer_in query = { .credential_id = asked->credential };
	struct sql_credential_answer_row row;
	enum err e = sql_credential_answer(db, &query, &row);

	if (e == OK)
		take(asked, row.answer, found);
	return e == ERR_NOT_FOUND ? OK : e;
}

enum { TOGETHER_MAX = 8 }; /* ids in credential_answer_some */
_Static_assert((int)TOGETHER_MAX <= (int)HOLD_TOGETHER_MAX, "more than can be held");

/* Those of one caller; the places that are left over ask for the first once more. */
static enum err read_several(struct db *db, const struct asked *const *asked, size_t n, struct found *const *found)
{
	struct id id[TOGETHER_MAX];
	struct sql_credential_answer_some_row row;
	enum err e;

	for (size_t i = 0; i < TOGETHER_MAX; i++)
		id[i] = asked[i < n ? i : 0]->credential;
	TRY(sql_credential_answer_some(db, &(struct sql_credential_answer_some_in){ id[0], id[1], id[2], id[3], id[4],
										   id[5], id[6], id[7] }));
	while ((e = sql_credential_answer_some_next(db, &row)) == OK)
		for (size_t i = 0; i < n; i++)
			if (id_eq(&asked[i]->credential, &row.credential_id))
				take(asked[i], row.answer, found[i]);
	return e == ERR_END ? OK : e;
}

struct reading {
	struct db *db;
	const struct asked *asked;
	struct found *found;
};

static enum err read_of_caller(void *arg, const size_t *places, size_t count)
{
	const struct reading *r = arg;
	const struct asked *asked[TOGETHER_MAX] = { 0 };
	struct found *found[TOGETHER_MAX] = { 0 };

	if (count == 0 || count > TOGETHER_MAX)
		return ERR_INTERNAL;
	for (size_t i = 0; i < count; i++) {
		asked[i] = &r->asked[places[i]];
		found[i] = &r->found[places[i]];
	}
	return count == 1 ? read_single(r->db, asked[0], found[0]) : read_several(r->db, asked, count, found);
}

static enum err read_all(struct db *db, const void *in, size_t n, void *ret_rows)
{
	struct reading reading = { db, in, ret_rows };
	struct ctx *cx[TOGETHER_MAX] = { 0 };

	memset(ret_rows, 0, n * sizeof(struct found));
	for (size_t i = 0; i < n; i++)
		cx[i] = reading.asked[i].cx;
	return hold_by_caller(cx, n, read_of_caller, &reading);
}

_Static_assert(sizeof(struct asked) <= HOLD_IN_MAX && sizeof(struct found) <= HOLD_ROW_MAX, "hold.h has too little room");

static const struct shared READ = {
	.checks_session = true,
	.in_size = sizeof(struct asked),
	.row_size = sizeof(struct found),
	.most = TOGETHER_MAX,
	.run = read_all,
};

static enum err is_read(struct ctx *cx, void *arg, enum err e, const void *row, struct reply *reply)
{
	const struct found *found = row;
	const struct asked *asked = arg;
	struct credential c;

	TRY(e);
	if (!found->is)
		return ERR_NOT_FOUND;
	cx->who.live = true;
	if (found->kept)
		return found->e;
	TRY(vault_find(cx, &asked->credential, &c));
	return vault_answer(cx, reply, &c);
}

enum err credential_get(struct ctx *cx, const struct credential_get_in *in, struct reply *reply)
{
	struct asked *asked = ARENA_NEW(cx->arena, struct asked);

	if (!asked)
		return ERR_NO_MEMORY;
	*asked = (struct asked){ cx, reply, in->credential_id };
	return hold_for(cx, &READ, asked, is_read, asked, reply);
}
