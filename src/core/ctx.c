#include "core/ctx.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"
#include "store/db.h"

static const char *const ACTIONS[] = {
	[AUDIT_NONE] = "",
#define AUDIT_ACTION(name, text, words) [AUDIT_##name] = text,
#include "core/audit_actions.def"
#undef AUDIT_ACTION
};

const char *audit_action_text(enum audit_action action) { return ACTIONS[action]; }

enum audit_action audit_action_parse(struct str text)
{
	for (size_t i = AUDIT_NONE + 1; i < ARRAY_SIZE(ACTIONS); i++)
		if (str_eq(text, str_of(ACTIONS[i])))
			return (enum audit_action)i;
	return AUDIT_NONE;
}

void ctx_enter(struct ctx *cx)
{
	const struct principal *who = &cx->who;
	struct db_scope scope = {
		.has_tenant = !id_is_nil(&who->tenant),
		.live_checked = who->live || id_is_nil(&who->session),
		.tenant = who->tenant,
		.user = who->user,
		.session = who->session,
		.role = str_of(role_text(who->role)),
		.now = cx->now_ms,
	};

	db_enter(cx->db, &scope);
}

static enum err run_as_system(struct ctx *cx, const struct id *tenant, enum err (*fn)(struct ctx *cx, void *arg),
			      void *arg)
{
	const struct principal who = cx->who;
	const struct audit_note note = cx->audit;
	enum err e;

	cx->who = (struct principal){ .who = WHO_SYSTEM, .tenant = *tenant, .live = true };
	cx->now_ms = clock_now_ms();
	cx->audit = (struct audit_note){ 0 };
	problem_clear(&cx->problem);
	ctx_enter(cx);
	e = fn(cx, arg);
	cx->who = who;
	cx->audit = note;
	ctx_enter(cx);
	return e;
}

enum err ctx_as_system(struct ctx *cx, const struct id *tenant, size_t arena_bytes,
		       enum err (*fn)(struct ctx *cx, void *arg), void *arg)
{
	struct arena *outer = cx->arena, *own;
	enum err e;

	if (arena_bytes == 0)
		return run_as_system(cx, tenant, fn, arg);
	own = arena_new(arena_bytes);
	if (!own)
		return ERR_NO_MEMORY;
	cx->arena = own;
	e = run_as_system(cx, tenant, fn, arg);
	cx->arena = outer;
	problem_clear(&cx->problem);
	arena_free(own);
	return e;
}

int64_t ctx_next_update(const struct ctx *cx, int64_t before)
{
	return cx->now_ms > before ? cx->now_ms : before + 1;
}

enum err ctx_fail(struct ctx *cx, enum err e, const char *detail)
{
	cx->problem.detail = str_of(detail);
	return e;
}

enum err ctx_bad_field(struct ctx *cx, const char *field, const char *code, const char *message)
{
	return problem_field(&cx->problem, str_of(field), code, message);
}

void ctx_audit_target(struct ctx *cx, enum id_kind kind, const struct id *id)
{
	cx->audit.has_target = true;
	cx->audit.target_kind = kind;
	cx->audit.target = *id;
}

void ctx_audit_detail(struct ctx *cx, const char *name, struct str value)
{
	struct audit_note *note = &cx->audit;

	if (note->details == CTX_DETAILS_MAX)
		return;
	note->detail[note->details].name = name;
	note->detail[note->details].value = value;
	note->details++;
}

struct str ctx_tag(const struct id *id, int64_t state, char text[CTX_TAG_MAX])
{
	char id_text[ID_TEXT_MAX];
	struct str public = id_format(ID_REQUEST, id, id_text);
	int n = snprintf(text, CTX_TAG_MAX, "\"%.*s-%" PRIx64 "\"", STR_ARG(str_slice(public, 4, 26)), (uint64_t)state);

	return (struct str){ text, (size_t)n };
}

/* A weak tag matches too: nginx weakens ours when it compresses. */
static bool tag_listed(struct str list, struct str tag)
{
	while (!str_absent(list)) {
		struct str item = str_trim(str_cut(&list, ','));

		if (str_starts(item, STR("W/")))
			item = str_slice(item, 2, item.n);
		if (str_eq(item, tag) || str_eq(item, STR("*")))
			return true;
	}
	return false;
}

enum err ctx_etag(struct ctx *cx, struct reply *reply, const struct id *id, int64_t state)
{
	char text[CTX_TAG_MAX];

	return ctx_put_tag(cx, reply, ctx_tag(id, state, text));
}

enum err ctx_put_tag(struct ctx *cx, struct reply *reply, struct str tag)
{
	bool reading = cx->request && (str_eq(cx->request->method, STR("GET")) ||
				       str_eq(cx->request->method, STR("HEAD")));

	TRY(reply_header(reply, "ETag", tag));
	if (!reading || !tag_listed(request_header(cx->request, "IF_NONE_MATCH"), tag))
		return OK;
	reply->status = 304;
	reply->content_type = NULL;
	return ERR_END;
}

enum err ctx_if_match(const struct ctx *cx, const struct id *id, int64_t state)
{
	char text[CTX_TAG_MAX];
	struct str wanted = cx->request ? request_header(cx->request, "IF_MATCH") : STR_NONE;

	if (str_absent(wanted) || tag_listed(wanted, ctx_tag(id, state, text)))
		return OK;
	return ERR_PRECONDITION_FAILED;
}

enum err ctx_cursor_read(struct ctx *cx, struct str cursor, struct id *ret_before)
{
	struct id id;

	(void)cx;
	if (str_absent(cursor)) {
		*ret_before = ID_MAX;
		return OK;
	}
	/* A cursor is the id behind which the next page begins; its prefix is hidden, because lists differ. */
	if (!id_parse(ID_REQUEST, cursor, &id))
		return ERR_BAD_CURSOR;
	*ret_before = id;
	return OK;
}

/* As a URI has it (RFC 3986): nginx passes on what it got, and a '>' would end the link. */
static void add_uri(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c > 0x20 && c < 0x7f && c != '<' && c != '>' && c != '"')
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* The request's query without its cursor. */
static struct str query_without_cursor(struct ctx *cx, struct buf *out)
{
	struct str query = cx->request->query;

	while (!str_absent(query)) {
		struct str pair = str_cut(&query, '&');

		if (pair.n == 0 || str_starts(pair, STR("cursor=")))
			continue;
		add_uri(out, pair);
		buf_add_char(out, '&');
	}
	return buf_str(out);
}

enum err ctx_cursor_next(struct ctx *cx, struct reply *reply, const struct id *last)
{
	BUF_AUTO struct buf query = { 0 };
	char id_text[ID_TEXT_MAX];
	struct str kept, link;

	buf_init(&query, 4096);
	kept = query_without_cursor(cx, &query);
	TRY(buf_error(&query));
	link = arena_printf(cx->arena, "<%.*s?%.*scursor=%.*s>; rel=\"next\"",
			    STR_ARG(cx->request->path), STR_ARG(kept),
			    STR_ARG(id_format(ID_REQUEST, last, id_text)));
	return str_absent(link) ? ERR_NO_MEMORY : reply_header(reply, "Link", link);
}
