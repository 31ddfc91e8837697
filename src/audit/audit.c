#include "audit/audit.h"

#include <string.h>

#include "base/json_write.h"
#include "store/db.h"
#include "store/sql_audit.h"

enum { DETAILS_MAX = 2000 };

static const char *outcome_text(enum err result)
{
	if (result == OK)
		return "ok";
	return err_status(result) < 500 ? "refused" : "failed";
}

static const char *actor_kind(enum who who)
{
	static const char *const KINDS[] = {
		[WHO_NOBODY] = "nobody",
		[WHO_USER] = "user",
		[WHO_TOKEN] = "token",
		[WHO_SYSTEM] = "system",
	};

	return KINDS[who];
}

static struct opt_id actor_of(const struct ctx *cx)
{
	switch (cx->who.who) {
	case WHO_USER:
		return (struct opt_id){ true, cx->who.user };
	case WHO_TOKEN:
		return (struct opt_id){ true, cx->who.token };
	case WHO_NOBODY:
		return cx->audit.about_user;
	case WHO_SYSTEM:
		break;
	}
	return (struct opt_id){ 0 };
}

/* As many details as fit: a row that is too long would cost the change its audit. */
static struct str write_details(const struct audit_note *note, struct buf *out)
{
	struct json_writer w;
	size_t fitting = note->details;

	do {
		buf_clear(out);
		jw_start(&w, out);
		jw_object(&w);
		for (size_t i = 0; i < fitting; i++)
			jw_put_text(&w, note->detail[i].name, note->detail[i].value);
		jw_object_end(&w);
	} while (buf_error(out) != OK && fitting-- > 0);
	return fitting > 0 && fitting <= note->details ? buf_str(out) : STR_NONE;
}

static enum err insert_for_tenant(struct ctx *cx, const struct sql_audit_insert_in *row)
{
	return sql_audit_insert(cx->db, row, NULL);
}

static enum err insert_for_service(struct ctx *cx, const struct sql_audit_insert_in *row)
{
	const struct sql_audit_insert_system_in system_row = {
		.audit_id = row->audit_id,
		.at = row->at,
		.actor_kind = row->actor_kind,
		.actor_id = row->actor_id,
		.action = row->action,
		.outcome = row->outcome,
		.code = row->code,
		.target_kind = row->target_kind,
		.target_id = row->target_id,
		.service = row->service,
		.address = row->address,
		.request_id = row->request_id,
		.details = row->details,
	};

	return sql_audit_insert_system(cx->db, &system_row, NULL);
}

/* Somebody without a token was at a tenant's door: the tenant's people are to see it. */
static enum err insert_for_other(struct ctx *cx, const struct sql_audit_insert_in *row)
{
	struct principal who = cx->who;
	enum err e;

	cx->who.tenant = cx->audit.about_tenant.v;
	cx->who.live = true;
	ctx_enter(cx);
	e = sql_audit_insert(cx->db, row, NULL);
	cx->who = who;
	ctx_enter(cx);
	return e;
}

/* Who, when, what and where, as members of a statement's input. */
#define COMMON_MEMBERS(cx, act)                                                                                        \
	.at = (cx)->now_ms, .actor_kind = str_of(actor_kind((cx)->who.who)), .actor_id = actor_of(cx),                \
	.action = str_of(audit_action_text(act)), .service = (cx)->audit.service, .address = (cx)->address,           \
	.request_id = { !id_is_nil(&(cx)->request_id), (cx)->request_id }

enum err audit_write(struct ctx *cx, enum audit_action action, enum err result)
{
	BUF_AUTO struct buf details = { 0 };
	const struct audit_note *note = &cx->audit;
	struct sql_audit_insert_in row = {
		COMMON_MEMBERS(cx, action),
		.outcome = str_of(outcome_text(result)),
		.code = result == OK ? STR_NONE : str_of(err_code(result)),
		.target_kind = note->has_target ? str_of(id_prefix(note->target_kind)) : STR_NONE,
		.target_id = { note->has_target, note->target },
	};

	TRY(id_new(&row.audit_id));
	buf_init(&details, DETAILS_MAX);
	if (note->details > 0)
		row.details = write_details(note, &details);
	if (!id_is_nil(&cx->who.tenant))
		return insert_for_tenant(cx, &row);
	return note->about_tenant.set ? insert_for_other(cx, &row) : insert_for_service(cx, &row);
}

/* --- uses ------------------------------------------------------------------ */

struct use {
	struct ctx *cx;
	struct sql_audit_use_in row;
};

/* Those of the first tenant that is left, which are left no longer. ERR_END: none is. */
static enum err insert_of_tenant(const struct use *uses, size_t n, bool *left)
{
	struct sql_audit_use_in rows[AUDIT_USES_MAX];
	struct ctx *cx = NULL;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!left[i] || (cx && !id_eq(&cx->who.tenant, &uses[i].cx->who.tenant)))
			continue;
		left[i] = false;
		cx = uses[i].cx;
		rows[count++] = uses[i].row;
	}
	if (count == 0)
		return ERR_END;
	ctx_enter(cx);
	return sql_audit_use(cx->db, rows, count);
}

static enum err insert_all(const struct use *uses, size_t n, bool *left)
{
	enum err e;

	while ((e = insert_of_tenant(uses, n, left)) == OK)
		;
	return e == ERR_END ? OK : e;
}

static bool is_one_tenants(const struct use *uses, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (!id_eq(&uses[0].cx->who.tenant, &uses[i].cx->who.tenant))
			return false;
	return true;
}

/* A view takes one tenant's rows. */
static enum err write_uses(struct db *db, const void *in, size_t n, void *ret_rows)
{
	bool left[AUDIT_USES_MAX];
	enum err e;

	(void)ret_rows;
	memset(left, true, sizeof(left));
	if (is_one_tenants(in, n))
		return insert_all(in, n, left);
	TRY(db_begin(db));
	e = insert_all(in, n, left);
	if (e == OK)
		return db_commit(db);
	db_rollback(db);
	return e;
}

_Static_assert(sizeof(struct use) <= HOLD_IN_MAX, "HOLD_IN_MAX is too small");
_Static_assert((int)AUDIT_USES_MAX == (int)SQL_AUDIT_USE_MAX, "as many as the statement takes");

static const struct shared USES = {
	.in_size = sizeof(struct use),
	.most = AUDIT_USES_MAX,
	.run = write_uses,
};

static enum err use_is_written(struct ctx *cx, void *arg, enum err e, const void *row, struct reply *reply)
{
	(void)cx;
	(void)arg;
	(void)row;
	(void)reply;
	return e;
}

/* What is noted may be a statement's text, which doesn't outlive another request's. */
static enum err copy(struct ctx *cx, struct str *text)
{
	if (str_absent(*text))
		return OK;
	*text = arena_copy(cx->arena, *text);
	return str_absent(*text) ? ERR_NO_MEMORY : OK;
}

static enum err make_use(struct ctx *cx, enum audit_action action, const struct id *credential, struct use *ret_use)
{
	BUF_AUTO struct buf details = { 0 };
	struct sql_audit_use_in *row = &ret_use->row;

	buf_init(&details, DETAILS_MAX);
	ret_use->cx = cx;
	*row = (struct sql_audit_use_in){
		.credential_id = *credential,
		COMMON_MEMBERS(cx, action),
		.details = cx->audit.details > 0 ? write_details(&cx->audit, &details) : STR_NONE,
	};
	TRY(id_new(&row->audit_id));
	TRY(copy(cx, &row->service));
	return copy(cx, &row->details);
}

enum err audit_use(struct ctx *cx, enum audit_action action, const struct id *credential, struct reply *reply)
{
	struct use *use = ARENA_NEW(cx->arena, struct use);

	if (!use)
		return ERR_NO_MEMORY;
	TRY(make_use(cx, action, credential, use));
	return hold_for(cx, &USES, use, use_is_written, NULL, reply);
}

enum err audit_write_uses(struct db *db, struct ctx *const *cx, size_t n, enum audit_action action,
			  const struct id *credentials)
{
	struct use uses[AUDIT_USES_MAX];

	for (size_t i = 0; i < n; i++)
		TRY(make_use(cx[i], action, &credentials[i], &uses[i]));
	return write_uses(db, uses, n, NULL);
}

bool audit_worthy(enum err e)
{
	switch (e) {
	case ERR_DENIED:
	case ERR_SCOPE_MISSING:
	case ERR_CSRF:
	case ERR_BAD_LOGIN:
	case ERR_LINK_USED:
	case ERR_SESSION_ENDED:
	case ERR_UNREADABLE:
	case ERR_NO_KEY:
		return true;
	default:
		return false;
	}
}
