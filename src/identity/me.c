/*
 * GET and PATCH /auth/me
 *
 * The read is one statement with `:live`, two for an API token: with our own
 * token, on a connection that is bound to its tenant, that is all there is.
 */
#include <string.h>

#include "base/json_write.h"
#include "core/answer.h"
#include "core/operations.h"
#include "crypt/hash.h"
#include "fcgi/reply.h"
#include "identity/signed_in.h"
#include "store/sql_token.h"
#include "store/sql_user.h"

enum { ME_MAX = 1 << 20 };

struct me {
	bool found;                           /* the person, in the tenant that asks */
	struct buf user, tenant, memberships; /* JSON, in the making */
	struct str role;
};

static void me_done(struct me *me)
{
	buf_done(&me->user);
	buf_done(&me->tenant);
	buf_done(&me->memberships);
}

static void write_membership(struct me *me, const struct sql_user_me_row *row)
{
	struct json_writer w;

	jw_start(&w, &me->memberships);
	w.comma = me->memberships.n > 0;
	jw_object(&w);
	answer_id(&w, "tenant_id", ID_TENANT, &row->tenant_id);
	jw_put_text(&w, "tenant_name", row->tenant_name);
	jw_put_text(&w, "role", row->role);
	jw_object_end(&w);
}

static void take_row(struct ctx *cx, struct me *me, const struct sql_user_me_row *row)
{
	struct json_writer w;

	if (cx->who.who == WHO_USER)
		write_membership(me, row);
	if (!id_eq(&row->tenant_id, &cx->who.tenant))
		return;
	me->found = true;
	jw_start(&w, &me->user);
	write_user(&w, &cx->who.user, row->email, row->name, row->email_verified_at.set,
		   row->created_at);
	jw_start(&w, &me->tenant);
	write_tenant(&w, &cx->who.tenant, row->tenant_name, row->tenant_created_at);
}

static enum err me_read(struct ctx *cx, struct me *me)
{
	struct sql_user_me_row row;
	enum err e;

	buf_init(&me->user, ME_MAX);
	buf_init(&me->tenant, ME_MAX);
	buf_init(&me->memberships, ME_MAX);
	TRY(sql_user_me(cx->db));
	while ((e = sql_user_me_next(cx->db, &row)) == OK)
		take_row(cx, me, &row);
	if (e != ERR_END)
		return e;
	TRY(buf_error(&me->user));
	TRY(buf_error(&me->tenant));
	TRY(buf_error(&me->memberships));
	return me->found ? OK : ERR_NOT_FOUND;
}

static enum err write_token(struct ctx *cx, struct json_writer *w)
{
	struct sql_api_token_name_in in = { .token_id = cx->who.token };
	struct sql_api_token_name_row row;

	TRY(sql_api_token_name(cx->db, &in, &row));
	jw_key(w, "token");
	jw_object(w);
	answer_id(w, "id", ID_TOKEN, &cx->who.token);
	jw_put_text(w, "name", row.name);
	jw_key(w, "scopes");
	jw_array(w);
	for (int bit = 0; bit < SCOPE_COUNT; bit++)
		if (cx->who.scopes & (scopes)1 << bit)
			jw_add_text(w, str_of(scope_text((enum scope_bit)bit)));
	jw_array_end(w);
	jw_object_end(w);
	return OK;
}

/* An API token shows its tenant and its maker, and nothing of the maker's other tenants. */
static enum err me_write(struct ctx *cx, struct reply *reply)
{
	CLEANUP(me_done) struct me me = { .found = false };
	bool person = cx->who.who == WHO_USER;
	struct json_writer w;

	TRY(me_read(cx, &me));
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_raw(&w, "user", buf_str(&me.user));
	jw_put_raw(&w, "tenant", buf_str(&me.tenant));
	jw_put_text(&w, "role", person ? str_of(role_text(cx->who.role)) : STR_NONE);
	jw_key(&w, "memberships");
	jw_array(&w);
	if (me.memberships.n > 0)
		jw_add_raw(&w, buf_str(&me.memberships));
	jw_array_end(&w);
	if (!person)
		TRY(write_token(cx, &w));
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* Everything that is shown, as one number: it changes when any of it does. */
static int64_t state_of(const struct reply *reply)
{
	uint8_t hash[SHA256_BYTES];
	int64_t state;

	sha256_of(BYTES(buf_str(&reply->body)), hash);
	memcpy(&state, hash, sizeof(state));
	return state & INT64_MAX;
}

enum err me_get(struct ctx *cx, const struct me_get_in *in, struct reply *reply)
{
	enum err e;

	(void)in;
	TRY(me_write(cx, reply));
	e = ctx_etag(cx, reply, &cx->who.user, state_of(reply));
	if (e == ERR_END)
		buf_clear(&reply->body);
	return e;
}

enum err me_update(struct ctx *cx, const struct me_update_in *in, struct reply *reply)
{
	struct sql_user_rename_in rename = { .name = in->name };

	struct sql_user_lock_row locked;

	ctx_audit_target(cx, ID_USER, &cx->who.user);
	TRY(sql_user_lock(cx->db,
			  &locked)); /* until the change: If-Match holds for one of two at once */
	TRY(me_write(cx, reply));
	TRY(ctx_if_match(cx, &cx->who.user, state_of(reply)));
	if (!str_absent(in->name)) {
		TRY(sql_user_rename(cx->db, &rename, NULL));
		buf_clear(&reply->body);
		TRY(me_write(cx, reply));
	}
	return ctx_etag(cx, reply, &cx->who.user, state_of(reply));
}
