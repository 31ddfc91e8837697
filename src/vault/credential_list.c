/*
 * GET /credentials. A page without a filter is made of the answers that its rows keep: of the requests of a round in
 * which the same caller asks for the same page, one asks the database, and the others get what it was told.
 */
#include <string.h>

#include "core/answer.h"
#include "core/hold.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_credential.h"
#include "vault/answer.h"
#include "vault/row.h"

struct asked {
	struct ctx *cx;
	struct reply *reply;
	const struct credential_list_in *in;
	struct id before;
};

struct page {
	bool live; /* it has a row, and so the session is live */
	bool kept; /* each row keeps its answer; they are in the reply now */
	bool more; /* another page follows, behind `last` */
	struct id last;
};

static enum err take_rows(struct db *db, const struct asked *asked, struct page *page)
{
	struct sql_credential_answers_row row;
	struct kept_answer kept;
	struct json_writer w;
	enum err e;

	jw_start(&w, &asked->reply->body);
	jw_array(&w);
	for (int64_t room = asked->in->limit; (e = sql_credential_answers_next(db, &row)) == OK; room--) {
		page->live = true;
		page->more = room == 0;
		if (page->more)
			break;
		if (!vault_take_answer(row.answer, &kept))
			return OK;
		if (room == 1)
			TRY(vault_answer_id(&kept, &page->last));
		jw_add_raw(&w, kept.json);
	}
	if (e != OK && e != ERR_END)
		return e;
	jw_array_end(&w);
	page->kept = true;
	return OK;
}

static enum err read_page(struct db *db, const struct asked *asked, struct page *page)
{
	const struct sql_credential_answers_in query = { .before = asked->before, .limit = asked->in->limit + 1 };

	TRY(sql_credential_answers(db, &query));
	return take_rows(db, asked, page);
}

static bool is_alike(const struct asked *answered, const struct asked *asked)
{
	return answered->in->limit == asked->in->limit && id_eq(&answered->before, &asked->before) &&
	       buf_error(&answered->reply->body) == OK;
}

struct reading {
	struct db *db;
	const struct asked *asked;
	struct page *page;
};

/* The i-th of one caller's, asked[places[]], has the answer of one before it that is alike, or asks the database. */
static enum err answer(const struct reading *r, const size_t *places, size_t i)
{
	const struct asked *mine = &r->asked[places[i]];
	size_t first = 0;

	while (first < i && !is_alike(&r->asked[places[first]], mine))
		first++;
	buf_clear(&mine->reply->body); /* of what an earlier try has put there */
	if (first == i)
		return read_page(r->db, mine, &r->page[places[i]]);
	r->page[places[i]] = r->page[places[first]];
	buf_add_str(&mine->reply->body, buf_str(&r->asked[places[first]].reply->body));
	return OK;
}

static enum err read_of_caller(void *arg, const size_t *places, size_t count)
{
	for (size_t i = 0; i < count; i++)
		TRY(answer(arg, places, i));
	return OK;
}

static enum err read_all(struct db *db, const void *in, size_t n, void *ret_rows)
{
	struct reading reading = { db, in, ret_rows };
	struct ctx *cx[HOLD_TOGETHER_MAX] = { 0 };

	memset(ret_rows, 0, n * sizeof(struct page));
	for (size_t i = 0; i < n; i++)
		cx[i] = reading.asked[i].cx;
	return hold_by_caller(cx, n, read_of_caller, &reading);
}

_Static_assert(sizeof(struct asked) <= HOLD_IN_MAX && sizeof(struct page) <= HOLD_ROW_MAX,
	       "hold.h has too little room");

static const struct shared READ = {
	.checks_session = true,
	.in_size = sizeof(struct asked),
	.row_size = sizeof(struct page),
	.most = HOLD_TOGETHER_MAX,
	.run = read_all,
};

/* The page made of the columns: a filtered one, or one with rows that keep no answer. */
static enum err make_page(const struct asked *asked)
{
	const struct credential_list_in *in = asked->in;
	const struct sql_credential_list_in query = {
		.before = asked->before,
		.type = in->type,
		.service = in->service,
		.status = in->status,
		.name = in->name,
		.limit = in->limit + 1,
	};
	struct sql_credential_list_row row;
	struct answer_page page;
	enum err e;

	TRY(sql_credential_list(asked->cx->db, &query));
	buf_clear(&asked->reply->body);
	answer_page_start(&page, asked->reply, in->limit);
	while ((e = sql_credential_list_next(asked->cx->db, &row)) == OK && answer_page_item(&page, &row.credential_id))
		vault_write_credential(&page.w, &CREDENTIAL_OF(row));
	return answer_page_end(&page, asked->cx, asked->reply, e);
}

static enum err is_read(struct ctx *cx, void *arg, enum err e, const void *row, struct reply *reply)
{
	const struct page *page = row;

	TRY(e);
	cx->who.live = cx->who.live || page->live;
	if (!page->kept)
		return make_page(arg);
	return page->more ? ctx_cursor_next(cx, reply, &page->last) : OK;
}

enum err credential_list(struct ctx *cx, const struct credential_list_in *in, struct reply *reply)
{
	bool filters = !str_absent(in->type) || !str_absent(in->service) || !str_absent(in->status) ||
		       !str_absent(in->name);
	struct asked *asked = ARENA_NEW(cx->arena, struct asked);

	if (!asked)
		return ERR_NO_MEMORY;
	*asked = (struct asked){ .cx = cx, .reply = reply, .in = in };
	TRY(ctx_cursor_read(cx, in->cursor, &asked->before));
	return filters ? make_page(asked) : hold_for(cx, &READ, asked, is_read, asked, reply);
}
