/*
 * A run: list after list, page after page. Each page is stored together with
 * the place behind it and a longer lease, so that a worker that was taken for
 * dead changes nothing, and whoever goes on neither misses a page nor needs one
 * twice. After a while a run lets others go first.
 */
#include <string.h>

#include "audit/audit.h"
#include "audit/transact.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/random.h"
#include "connect/catalog.h"
#include "connect/connector.h"
#include "jobs/backoff.h"
#include "jobs/loop.h"
#include "store/db.h"
#include "store/sql_sync.h"
#include "sync/pull.h"
#include "sync/store.h"
#include "sync/sync.h"
#include "vault/use.h"

enum {
	TURN_MS = 10000,  /* how long a run goes on before others get their turn */
	PAGES_MAX = 5000, /* of one run, and rows: a list without an end has one here */
	ROWS_MAX = 200000,
	PAGE_BYTES = 16 << 20
};

struct syncing {
	struct ctx *cx;
	struct run *run;
	struct arena *arena; /* the job's: what outlives a page */
	struct sync_run row;
	struct pulling pulling;
	struct opt_id credential;
	struct opt_int version; /* of the credential: what is pulled with */
	struct str status, service; /* of the connector, and its type */
	size_t list; /* the place of the list being read among those of the connection */
	char next[SYNC_NEXT_MAX];   /* what row.next is in */
	uint8_t hash[SHA256_BYTES]; /* of the page before */
	int64_t turn_ends_ms;
	bool advanced; /* a page was stored in this turn */
	bool gone;     /* the connector */
};

/* --- beginning ------------------------------------------------------------------------ */

static enum err fail_run(struct trouble *t, enum err e, const char *words)
{
	t->kind = TROUBLE_OF_RUN;
	t->code = str_of(err_code(e));
	t->words = str_of(words ? words : err_words(e));
	return OK;
}

/* Where it was: the list of that name, or the one behind it when that was read to its end. */
static void find_place(struct syncing *s)
{
	const struct sync_spec *list;

	if (str_absent(s->row.collection))
		return;
	for (size_t n = 0; (list = sync_list(s->pulling.type, &s->pulling.values, n)); n++)
		if (str_eq(list->collection, s->row.collection))
			s->list = s->row.page > 0 && str_absent(s->row.next) ? n + 1 : n;
}

static enum err note_begin(struct ctx *cx, void *arg)
{
	const struct syncing *s = arg;
	char text[ID_TEXT_MAX];

	cx->audit.service = s->service;
	ctx_audit_target(cx, ID_CONNECTOR, &s->row.connector);
	ctx_audit_detail(cx, "sync", arena_copy(cx->arena, id_format(ID_SYNC, &s->row.id, text)));
	return OK;
}

/* Whoever asked for it, the use of the credential has a row, before there is one; a later turn needs to be able to. */
static enum err note_use(struct syncing *s)
{
	const struct audit_note before = s->cx->audit;
	enum err e;

	if (!str_eq(s->row.state, STR("queued")))
		return vault_may_use(s->cx);
	s->cx->audit = (struct audit_note){ 0 };
	e = audit_transact(s->cx, AUDIT_CONNECTOR_SYNC, note_begin, s);
	s->cx->audit = before;
	return e;
}

static enum err open_connection(struct syncing *s, struct trouble *t)
{
	struct ctx *cx = s->cx;
	struct connector c;
	enum err e;

	e = connector_read(cx, &s->row.connector, &c);
	s->gone = e == ERR_NOT_FOUND;
	if (s->gone)
		return OK;
	TRY(e);
	s->credential = c.credential;
	s->status = arena_copy(s->arena, c.status);
	s->service = arena_copy(s->arena, c.type);
	s->pulling.type = cx->catalog ? catalog_find(cx->catalog, c.type) : NULL;
	s->pulling.way = s->pulling.type ? connector_way(s->pulling.type, c.auth) : NULL;
	if (!s->pulling.way || s->pulling.type->syncs == 0)
		return fail_run(t, ERR_NO_SYNC, NULL);
	if (str_eq(s->status, STR("needs_reconnect")))
		return fail_run(t, ERR_NEEDS_RECONNECT, NULL);
	if (str_eq(s->status, STR("disabled")))
		return fail_run(t, ERR_NOT_CONNECTED, "This connector is disabled.");
	TRY(note_use(s));
	e = connection_values(cx, s->pulling.type, s->pulling.way, s->credential,
			      &s->pulling.values, &s->version);
	if (e != OK)
		return pull_no_values(cx, e, t);
	find_place(s);
	if (!sync_list(s->pulling.type, &s->pulling.values, 0))
		return fail_run(t, ERR_NO_SYNC, "This connector doesn't say what is to be pulled.");
	return OK;
}

/* --- a page ---------------------------------------------------------------------------- */

/* The clock goes on: statements and leases count from now. */
static void refresh_now(struct ctx *cx)
{
	cx->now_ms = clock_now_ms();
	ctx_enter(cx);
}

struct page_change {
	struct syncing *s;
	const struct pulled *pulled; /* NULL: only the place */
	struct sync_run row;         /* as it becomes */
};

/* The connector's row is locked: it can't go away while something is added to it. */
static enum err write_page(struct db *db, void *arg)
{
	struct page_change *change = arg;
	struct syncing *s = change->s;
	struct sync_run row = change->row;
	struct connector c;

	(void)db;
	TRY(connector_lock(s->cx, &row.connector, &c));
	if (change->pulled)
		TRY(sync_store_rows(s->cx, &change->pulled->page, change->pulled->secrets, &row));
	TRY(sync_run_write(s->cx, &row, (struct opt_int){ 0 }));
	TRY(job_renew(s->cx, s->run->job,
		      s->cx->now_ms + job_kind_facts(JOB_SYNC_CONNECTOR)->lease_ms));
	lw_crash_point("sync_before_commit");
	s->row = row;
	return OK;
}

/* Into memory that outlives the page. */
static void keep_next(struct syncing *s, struct str next)
{
	if (str_absent(next)) {
		s->row.next = STR_NONE;
		return;
	}
	memcpy(s->next, next.p, next.n);
	s->row.next = (struct str){ s->next, next.n };
}

static enum err store_page(struct syncing *s, const struct sync_spec *list,
			   const struct pulled *pulled)
{
	struct page_change change = { .s = s, .pulled = pulled, .row = s->row };
	enum err e;

	change.row.state = STR("running");
	change.row.collection = list->collection;
	change.row.next = pulled ? pulled->page.next : STR_NONE;
	change.row.page++;
	change.row.pages += pulled ? 1 : 0;
	e = db_run(s->cx->db, write_page, &change);
	s->gone = e == ERR_NOT_FOUND;
	if (s->gone)
		return OK;
	TRY(e);
	lw_crash_point("sync_page_stored");
	keep_next(s, s->row.next);
	s->advanced = true;
	return OK;
}

/* A counted list that gives one page for every number never ends by itself. */
static bool is_same_again(const struct syncing *s, const struct pulled *pulled)
{
	return pulled->page.rows > 0 && memcmp(s->hash, pulled->hash, sizeof s->hash) == 0;
}

static void note_trouble(struct syncing *s, const struct trouble *t)
{
	if (!str_absent(s->row.error_code))
		return; /* the first one counts */
	s->row.error_code = t->code;
	s->row.error_message = str_utf8_cut(t->words, 500);
}

/* Trouble's words may be the page's: they are kept for longer. */
static enum err keep_words(const struct syncing *s, struct trouble *t)
{
	t->words = arena_copy(s->arena, str_absent(t->words) ? STR("") : t->words);
	t->outcome.message = str_absent(t->outcome.message)
				     ? STR_NONE
				     : arena_copy(s->arena, t->outcome.message);
	return str_absent(t->words) ? ERR_NO_MEMORY : OK;
}

static enum err pull_and_store(struct syncing *s, const struct sync_spec *list, struct trouble *t)
{
	PULLED_AUTO struct pulled pulled;
	const struct sync_place place = { s->row.page, s->row.next };

	pulled_init(&pulled);
	TRY(pull_page(s->cx, &s->pulling, list, &place, &pulled, t));
	if (t->kind == TROUBLE_NONE && is_same_again(s, &pulled))
		*t = (struct trouble){ .kind = TROUBLE_OF_LIST,
				       .code = STR("PAGES_REPEAT"),
				       .words = STR("The next page is the same one again.") };
	if (t->kind != TROUBLE_NONE) {
		TRY(keep_words(s, t));
		if (t->kind != TROUBLE_OF_LIST)
			return OK;
		note_trouble(s, t);
		return store_page(s, list, NULL);
	}
	TRY(store_page(s, list, &pulled));
	memcpy(s->hash, pulled.hash, sizeof s->hash);
	return OK;
}

/* A page has memory of its own. */
static enum err one_page(struct syncing *s, const struct sync_spec *list, struct trouble *t)
{
	struct arena *page = arena_new(PAGE_BYTES);
	enum err e;

	if (!page)
		return ERR_NO_MEMORY;
	refresh_now(s->cx);
	s->cx->arena = page;
	e = pull_and_store(s, list, t);
	s->cx->arena = s->arena;
	arena_free(page);
	return e;
}

/* --- lists ------------------------------------------------------------------------------- */

static bool is_full(struct syncing *s)
{
	const struct trouble full = { .code = STR("LIMIT_REACHED"),
				      .words = STR("There is more than one run pulls.") };

	if (s->row.pages < PAGES_MAX && s->row.fetched < ROWS_MAX)
		return false;
	note_trouble(s, &full);
	return true;
}

static void begin_list(struct syncing *s, const struct sync_spec *list)
{
	if (str_eq(s->row.collection, list->collection) &&
	    !(s->row.page > 0 && str_absent(s->row.next)))
		return; /* in the middle of it */
	memset(s->hash, 0, sizeof s->hash);
	s->row.collection = list->collection;
	s->row.page = 0;
	s->row.next = STR_NONE;
}

/* Until the last list's end, trouble that isn't one list's, or the end of this turn. */
static enum err pull_lists(struct syncing *s, struct trouble *t, bool *ret_ended)
{
	const struct sync_spec *list;

	*ret_ended = false;
	while ((list = sync_list(s->pulling.type, &s->pulling.values, s->list)) && !is_full(s)) {
		if (s->advanced && (clock_now_ms() > s->turn_ends_ms || loop_is_stopping()))
			return OK;
		begin_list(s, list);
		TRY(one_page(s, list, t));
		if (s->gone || t->kind == TROUBLE_OF_RUN || t->kind == TROUBLE_PASSES)
			return OK;
		if (str_absent(s->row.next))
			s->list++;
	}
	*ret_ended = true;
	return OK;
}

/* --- the end -------------------------------------------------------------------------------- */

struct ending {
	struct syncing *s;
	const struct trouble *trouble; /* of the run; kind NONE: it came to its end */
};

/* What a test that went so would write down; a good end is as good as a passed test. */
static enum err note_outcome(struct syncing *s, const struct trouble *t)
{
	const struct verify_outcome good = { .code = VERIFY_OK };

	if (!s->credential.set)
		return OK;
	if (t->tells)
		return connector_note_outcome(s->cx, &s->credential.v, s->version, &t->outcome);
	if (str_eq(s->row.state, STR("done")) && !str_eq(s->status, STR("active")))
		return connector_note_outcome(s->cx, &s->credential.v, s->version, &good);
	return OK;
}

static enum err write_end(struct ctx *cx, void *arg)
{
	const struct ending *ending = arg;
	struct syncing *s = ending->s;
	bool failed = str_eq(s->row.state, STR("failed"));

	TRY(sync_run_write(cx, &s->row, (struct opt_int){ true, cx->now_ms }));
	if (!failed)
		TRY(sql_sync_note_end(cx->db, &(struct sql_sync_note_end_in){ s->row.connector },
				      NULL));
	TRY(note_outcome(s, ending->trouble));
	if (!failed)
		return OK;
	cx->audit = (struct audit_note){ .service = s->service };
	ctx_audit_target(cx, ID_CONNECTOR, &s->row.connector);
	ctx_audit_detail(cx, "outcome", s->row.error_code);
	return audit_write(cx, AUDIT_CONNECTOR_SYNC, ERR_UPSTREAM);
}

static enum err end_run(struct syncing *s, const struct trouble *t)
{
	struct ending ending = { s, t };

	refresh_now(s->cx);
	if (t->kind != TROUBLE_NONE && t->kind != TROUBLE_OF_LIST) {
		s->row.error_code = t->code;
		s->row.error_message = str_utf8_cut(t->words, 500);
		s->row.state = STR("failed");
	} else if (!str_absent(s->row.error_code)) {
		s->row.state = s->row.fetched > 0 ? STR("partial") : STR("failed");
	} else {
		s->row.state = STR("done");
	}
	lw_crash_point("sync_before_end");
	return run_commit(s->cx, s->run, write_end, &ending);
}

static enum err pause_until(struct syncing *s, int64_t at)
{
	TRY(job_pause(s->cx, s->run->job, at));
	s->run->finished = true;
	return OK;
}

/* Trouble that passes: what has come further may try as often again; what hasn't uses its attempts up. */
static enum err try_later(struct syncing *s, const struct trouble *t)
{
	const struct job *job = s->run->job;
	uint32_t chance;

	refresh_now(s->cx);
	TRY(random_bytes(&chance, sizeof chance));
	if (s->advanced)
		return pause_until(s, t->retry_at > 0 ? t->retry_at
						      : s->cx->now_ms + backoff_ms(1, chance));
	if (job->attempts >= job_kind_facts(job->kind)->attempts)
		return end_run(s, t);
	s->run->retry_at = t->retry_at;
	s->cx->problem.detail = t->words;
	return ERR_UPSTREAM;
}

static enum err go(struct syncing *s)
{
	struct trouble t = { .kind = TROUBLE_NONE };
	bool ended = false;

	TRY(open_connection(s, &t));
	if (!s->gone && t.kind == TROUBLE_NONE)
		TRY(pull_lists(s, &t, &ended));
	if (s->gone)
		return OK;
	if (t.kind == TROUBLE_PASSES)
		return try_later(s, &t);
	return ended || t.kind == TROUBLE_OF_RUN ? end_run(s, &t) : pause_until(s, clock_now_ms());
}

enum err job_sync_connector(struct ctx *cx, struct run *run)
{
	struct syncing s = {
		.cx = cx, .run = run, .arena = cx->arena, .turn_ends_ms = clock_now_ms() + TURN_MS
	};
	struct id id;
	enum err e;

	TRY(job_payload_id(cx->arena, run->job, "sync_id", ID_SYNC, &id));
	e = sync_run_read(cx, &id, &s.row);
	if (e == ERR_NOT_FOUND ||
	    (e == OK && (str_eq(s.row.state, STR("done")) || str_eq(s.row.state, STR("partial")))))
		return OK;
	TRY(e);
	if (str_eq(s.row.state, STR("failed"))) /* a person wants it tried again: it goes on */
		s.row.error_code = s.row.error_message = STR_NONE;
	if (!s.row.started_at.set)
		s.row.started_at = (struct opt_int){ true, cx->now_ms };
	values_init(&s.pulling.values);
	e = go(&s);
	values_done(&s.pulling.values);
	return e;
}
