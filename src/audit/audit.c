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

static enum err write_uses(struct db *db, const void *in, size_t n, void *ret_rows)
{
	return sql_audit_use(db, in, n, ret_rows);
}

_Static_assert(sizeof(struct sql_audit_use_in) <= HOLD_IN_MAX, "HOLD_IN_MAX is too small");
_Static_assert(sizeof(struct sql_audit_use_row) <= HOLD_ROW_MAX, "HOLD_ROW_MAX is too small");

static const struct shared USES = {
	.in_size = sizeof(struct sql_audit_use_in),
	.row_size = sizeof(struct sql_audit_use_row),
	.most = SQL_AUDIT_USE_MAX,
	.run = write_uses,
};

static enum err use_is_written(struct ctx *cx, void *arg, enum err e, const void *row, struct reply *reply)
{
	(void)cx;
	(void)arg;
	(void)reply;
	TRY(e);
	return ((const struct sql_audit_use_row *)row)->used ? OK : ERR_NOT_FOUND;
}

/* What is noted may be a statement's text, which doesn't outlive another request's. */
static enum err copy(struct ctx *cx, struct str *text)
{
	if (str_absent(*text))
		return OK;
	*text = arena_copy(cx->arena, *text);
	return str_absent(*text) ? ERR_NO_MEMORY : OK;
}

enum err audit_use(struct ctx *cx, enum audit_action action, const struct id *credential, struct reply *reply)
{
	BUF_AUTO struct buf details = { 0 };
	struct sql_audit_use_in *row = ARENA_NEW(cx->arena, struct sql_audit_use_in);

	if (!row)
		return ERR_NO_MEMORY;
	buf_init(&details, DETAILS_MAX);
	*row = (struct sql_audit_use_in){
		.tenant_id = cx->who.tenant,
		.credential_id = *credential,
		COMMON_MEMBERS(cx, action),
		.details = cx->audit.details > 0 ? write_details(&cx->audit, &details) : STR_NONE,
	};
	TRY(id_new(&row->audit_id));
	TRY(copy(cx, &row->service));
	TRY(copy(cx, &row->details));
	return hold_for(cx, &USES, row, use_is_written, NULL, reply);
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
