/* POST, GET and HEAD /api/webhooks/{type}/{secret}: what providers call. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/log.h"
#include "connect/catalog.h"
#include "core/operations.h"
#include "fcgi/request.h"
#include "hook/fetched_key.h"
#include "hook/handshake.h"
#include "hook/hook.h"
#include "hook/intake.h"
#include "hook/keys.h"
#include "jobs/bell.h"

enum { TRIES = 3 };

static struct str header_of(const void *arg, struct str name) { return request_header_named(arg, name); }

static struct str public_url(struct ctx *cx)
{
	const struct request *request = cx->request;

	return arena_printf(cx->arena, "%s%.*s%s%.*s", cx->config->server_public_url, STR_ARG(request->path),
			    str_absent(request->query) ? "" : "?", STR_ARG(request->query));
}

static enum err make_delivery(struct ctx *cx, struct hook_delivery *ret_delivery)
{
	const struct request *request = cx->request;
	json_t *json = NULL;

	*ret_delivery = (struct hook_delivery){
		.arena = cx->arena,
		.method = request->method,
		.url = public_url(cx),
		.query = request->query,
		.content_type = str_absent(request->content_type) ? STR("") : request->content_type,
		.body = str_absent(request->body) ? STR("") : request->body,
		.now_ms = cx->now_ms,
		.header = header_of,
		.header_arg = request,
	};
	if (str_absent(ret_delivery->url))
		return ERR_NO_MEMORY;
	/* What isn't JSON may be a form, or be nobody's business but the signature's. */
	if (ret_delivery->body.n > 0 && json_read(cx->arena, ret_delivery->body, &json, NULL) == OK)
		ret_delivery->json = json;
	return OK;
}

static enum err open_keys(struct ctx *cx, const struct hook *hook, struct key_list *list)
{
	TRY(key_list_open(cx, &hook->connector, hook->check_keys, list));
	return key_list_open(cx, &hook->connector, hook->stored_keys, list);
}

/* One delivery, looked at once or again. */
struct receiving {
	struct ctx *cx;
	struct str type, secret;
	struct reply *reply;
	struct hook hook;
	struct hook_scheme scheme;
	bool may_recall;
	bool looking; /* the first look, or another one, is under way */
	bool stored;
	int looks;
};

static enum err find(struct receiving *r)
{
	const struct connector_type *type = catalog_find(r->cx->catalog, r->type);
	const char *why = NULL;
	enum err e;

	if (!type)
		return ERR_NOT_FOUND;
	e = hook_scheme_read(json_member(type->file, "webhook"), &r->scheme, &why);
	if (e == ERR_CONFIG)
		log_write(LOG_ERROR, "a type's webhook scheme is wrong",
			  LOG_FIELDS(log_str("type", type->id), log_text("member", why)));
	TRY(e);
	TRY(hook_find(r->cx, r->secret, r->may_recall, &r->hook));
	r->cx->audit.service = type->id;
	ctx_audit_target(r->cx, ID_CONNECTOR, &r->hook.connector);
	return str_eq(r->hook.type, type->id) ? OK : ERR_NOT_FOUND;
}

/* A delivery is POSTed; with the other methods some providers ask. */
static bool is_delivery(const struct receiving *r) { return str_eq(r->cx->request->method, STR("POST")); }

/* Whoever doesn't prove to be the provider isn't told whether there is such an address. */
static enum err refuse(struct receiving *r, const char *why)
{
	log_write(LOG_INFO, "a webhook was refused", LOG_FIELDS(log_str("type", r->type), log_text("why", why)));
	if (!is_delivery(r))
		return ERR_NOT_FOUND;
	if (!r->scheme.empty_answer)
		return ERR_BAD_SIGNATURE;
	r->reply->status = 401;
	r->reply->content_type = NULL;
	return OK;
}

static enum err answer(const struct hook_scheme *scheme, const struct intake *intake, struct reply *reply)
{
	char id[ID_TEXT_MAX];
	struct json_writer w;

	if (scheme->empty_answer) {
		reply->content_type = NULL;
		return OK;
	}
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_bool(&w, "received", true);
	jw_put_text(&w, "event_id", intake->events ? id_format(ID_EVENT, &intake->event, id) : STR_NONE);
	jw_put_bool(&w, "duplicate", intake->events > 0 && intake->duplicate);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* What it isn't as an event. Not by a recalled hook: whoever sends it is told how the hook is now. */
static enum err answer_else(struct receiving *r, struct hook_delivery *delivery, const struct hook_keys *keys,
			    const struct hook_handshake *handshake, const char *why)
{
	enum err e;

	if (r->hook.recalled)
		return ERR_CONFLICT;
	if (!handshake)
		return refuse(r, why);
	e = hook_handshake_answer(r->cx, &r->hook, &r->scheme, handshake, delivery, keys, r->reply);
	if (e == ERR_BAD_SIGNATURE || (e == ERR_DENIED && !handshake->is_signed))
		return refuse(r, "its handshake proves nothing");
	return e;
}

static enum err go_on(struct receiving *r, enum err e);

static enum err taken(void *arg, enum err e, const struct intake *intake)
{
	struct receiving *r = arg;

	r->stored = e == OK && intake->events > 0;
	if (r->stored && !intake->duplicate)
		bell_ring(r->cx->config->worker_bell);
	if (e == OK)
		e = answer(&r->scheme, intake, r->reply);
	return r->looking ? e : go_on(r, e);
}

/* The hook is found. */
static enum err look_at(struct receiving *r)
{
	const struct hook_handshake *handshake;
	KEY_LIST_AUTO struct key_list list;
	struct hook_delivery delivery;
	const char *why = "";

	key_list_init(&list);
	TRY(make_delivery(r->cx, &delivery));
	TRY(open_keys(r->cx, &r->hook, &list));
	TRY(hook_add_fetched_keys(r->cx, &r->hook, &r->scheme, &delivery, &list));
	const struct hook_keys keys = { list.v, list.n };

	handshake = hook_handshake_of(&r->scheme, &delivery);
	if (handshake || !is_delivery(r))
		return answer_else(r, &delivery, &keys, handshake, "it asks nothing");
	if (hook_check(&r->scheme, &delivery, &keys, &why) != OK)
		return answer_else(r, &delivery, &keys, NULL, why);
	return hook_take_in(r->cx, &r->hook, &r->scheme, &delivery, taken, r, r->reply);
}

static enum err look(struct receiving *r)
{
	enum err e = find(r);

	if (e == ERR_NOT_FOUND)
		return refuse(r, "there is no such address");
	TRY(e);
	return look_at(r);
}

static enum err look_once(struct receiving *r)
{
	enum err e;

	r->looks++;
	r->looking = true;
	e = look(r);
	r->looking = false;
	return e;
}

static bool is_held(const struct receiving *r, enum err e) { return e == OK && r->cx->hold.shared; }

static bool is_passing(enum err e) { return e == ERR_CONFLICT || e == ERR_DB_RETRY; }

/* By a recalled hook, what wasn't stored isn't decided; whether the database has it, another look doesn't tell. */
static bool is_open(const struct receiving *r, enum err e)
{
	return r->hook.recalled && !r->stored && e != ERR_DB_LOST && e != ERR_DB_UNSURE;
}

/* A hook that was changed in between is looked at again: its keys may be others. */
static enum err go_on(struct receiving *r, enum err e)
{
	while (r->looks < TRIES && !is_held(r, e) && (is_passing(e) || is_open(r, e))) {
		reply_reset(r->reply);
		r->hook.recalled = r->may_recall = false;
		e = look_once(r);
	}
	return e == ERR_CONFLICT ? ERR_DB_RETRY : e;
}

static enum err receive(struct ctx *cx, struct str type, struct str secret, struct reply *reply)
{
	struct receiving *r = ARENA_NEW(cx->arena, struct receiving);

	if (!r)
		return ERR_NO_MEMORY;
	*r = (struct receiving){ .cx = cx, .type = type, .secret = secret, .reply = reply, .may_recall = true };
	return go_on(r, look_once(r));
}

enum err hook_receive(struct ctx *cx, const struct hook_receive_in *in, struct reply *reply)
{
	return receive(cx, in->type, in->secret, reply);
}

enum err hook_handshake(struct ctx *cx, const struct hook_handshake_in *in, struct reply *reply)
{
	return receive(cx, in->type, in->secret, reply);
}
