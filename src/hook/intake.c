#include "hook/intake.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/template.h"
#include "crypt/hash.h"
#include "store/db.h"
#include "store/sql_event.h"

enum {
	TYPE_MAX = 128,
	TEXT_MAX = 255,
	KIND_MAX = 64,
	HEADERS_MAX = 4000,
	BODY_MAX = 4 << 20,
	/* A larger one goes alone: a statement of many stays far below what a packet may be. */
	SHARED_BODY_MAX = 64 << 10
};

static struct str value_at(const struct hook_delivery *delivery, struct str source, size_t most)
{
	return str_absent(source) ? STR_NONE : str_utf8_cut(hook_value(delivery, source), most);
}

/* A provider's time: RFC 3339, or a number: of milliseconds from 10^11 on, which in seconds is the year 5138. */
static struct opt_int time_at(const struct hook_delivery *delivery, struct str source)
{
	struct str text = value_at(delivery, source, 64);
	uint64_t number;
	int64_t ms;

	if (str_absent(text))
		return (struct opt_int){ 0 };
	if (time_parse(text, &ms))
		return (struct opt_int){ true, ms };
	if (!str_to_u64(text, &number) || number > 253402300799999ULL)
		return (struct opt_int){ 0 };
	return (struct opt_int){ true, (int64_t)(number < 100000000000ULL ? number * 1000 : number) };
}

/*
 * What makes two deliveries the same event: the provider's id, all of it, or the bytes themselves where it gives none.
 * Of those that say the same each time, each is news.
 */
static void key_of(const struct hook_scheme *scheme, const struct hook_delivery *event, struct str provider_id,
		   const struct id *id, uint8_t ret_key[SHA256_BYTES])
{
	if (!str_absent(provider_id))
		sha256_of(BYTES(STR("id\0"), provider_id), ret_key);
	else if (scheme->repeats)
		sha256_of(BYTES(STR("new\0"), ID_BYTES(id)), ret_key);
	else
		sha256_of(BYTES(STR("body\0"), event->body), ret_key);
}

static void write_headers_of(const struct hook_delivery *delivery, struct str source, struct json_writer *w)
{
	while (!str_absent(source)) {
		struct str joined = str_cut(&source, '|');

		while (!str_absent(joined)) {
			struct str name = str_cut(&joined, '+'), kind = str_cut(&name, ':'), value;

			if (!str_eq(kind, STR("header")) || str_absent(name))
				continue;
			value = delivery->header(delivery->header_arg, name);
			if (str_absent(value))
				continue;
			jw_key_str(w, name);
			jw_add_text(w, str_utf8_cut(value, TEXT_MAX));
		}
	}
}

/* The headers that an event was read from: no other one is kept, for it may be a secret. None if they are too long. */
static struct str headers_of(const struct hook_scheme *scheme, const struct hook_delivery *delivery, struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	jw_object(&w);
	jw_put_text(&w, "content-type", str_utf8_cut(delivery->content_type, TEXT_MAX));
	write_headers_of(delivery, scheme->event_id, &w);
	write_headers_of(delivery, scheme->event_type, &w);
	write_headers_of(delivery, scheme->account, &w);
	write_headers_of(delivery, scheme->subject_kind, &w);
	write_headers_of(delivery, scheme->subject_id, &w);
	write_headers_of(delivery, scheme->occurred_at, &w);
	jw_object_end(&w);
	return buf_error(out) == OK ? buf_str(out) : STR("{}");
}

static enum err store(struct db *db, const void *in, size_t n, void *ret_rows)
{
	return sql_event_intake(db, in, n, ret_rows);
}

_Static_assert(sizeof(struct sql_event_intake_in) <= HOLD_IN_MAX, "HOLD_IN_MAX is too small");
_Static_assert(sizeof(struct sql_event_intake_row) <= HOLD_ROW_MAX, "HOLD_ROW_MAX is too small");

static const struct shared STORE = {
	.in_size = sizeof(struct sql_event_intake_in),
	.row_size = sizeof(struct sql_event_intake_row),
	.most = SQL_EVENT_INTAKE_MAX,
	.run = store,
};

static enum err new_ids(struct sql_event_intake_in *in)
{
	TRY(id_new(&in->event_id));
	TRY(id_new(&in->job_id));
	return id_new(&in->audit_id);
}

/* A delivery on its way into the database. */
struct taking {
	struct ctx *cx;
	const struct hook *hook;
	const struct hook_scheme *scheme;
	const struct hook_delivery *delivery;
	const json_t *list; /* NULL: the delivery is one event */
	struct str provider, headers;
	struct intake intake;  /* of a list */
};

/* `key` has room for its hash. */
static enum err describe(const struct taking *t, const struct hook_delivery *event, uint8_t key[SHA256_BYTES],
			 struct sql_event_intake_in *ret_in)
{
	const struct hook_scheme *scheme = t->scheme;
	struct str provider_id = str_absent(scheme->event_id) ? STR_NONE : hook_value(event, scheme->event_id);
	struct str type = value_at(event, scheme->event_type, TYPE_MAX);

	*ret_in = (struct sql_event_intake_in){
		.tenant_id = t->hook->tenant,
		.connector_id = t->hook->connector,
		.hook_state = t->hook->state,
		.key_hash = { (const char *)key, SHA256_BYTES },
		.provider = t->provider,
		.type = type.n > 0 ? type : STR("unknown"),
		.provider_event_id = str_utf8_cut(provider_id, TEXT_MAX),
		.account = value_at(event, scheme->account, TEXT_MAX),
		.subject_kind = value_at(event, scheme->subject_kind, KIND_MAX),
		.subject_id = value_at(event, scheme->subject_id, TEXT_MAX),
		.occurred_at = time_at(event, scheme->occurred_at),
		.headers = t->headers,
		.body = event->body,
		.address = t->cx->address,
		.request_id = t->cx->request_id,
		.at = t->cx->now_ms,
	};
	TRY(new_ids(ret_in));
	key_of(scheme, event, provider_id, &ret_in->event_id, key);
	return OK;
}

static enum err note(struct intake *intake, const struct id *sent, const struct sql_event_intake_row *row)
{
	if (!row->event_id.set)
		return ERR_CONFLICT;
	if (intake->events++ == 0)
		intake->event = row->event_id.v;
	intake->duplicate = intake->duplicate && !id_eq(&row->event_id.v, sent);
	return OK;
}

/* --- a delivery that is one event ------------------------------------------------ */

struct single {
	struct sql_event_intake_in in;
	uint8_t key[SHA256_BYTES];
	intake_done *done;
	void *arg;
};

static enum err single_is_stored(struct ctx *cx, void *arg, enum err e, const void *row, struct reply *reply)
{
	const struct single *single = arg;
	struct intake intake = { .duplicate = true };

	(void)cx;
	(void)reply;
	if (e == OK)
		e = note(&intake, &single->in.event_id, row);
	return single->done(single->arg, e, &intake);
}

static enum err take_single(const struct taking *t, intake_done *done, void *arg, struct reply *reply)
{
	struct single *single = ARENA_NEW(t->cx->arena, struct single);

	if (!single)
		return ERR_NO_MEMORY;
	TRY(describe(t, t->delivery, single->key, &single->in));
	single->done = done;
	single->arg = arg;
	if (t->delivery->body.n > SHARED_BODY_MAX)
		t->cx->may_hold = false;
	return hold_for(t->cx, &STORE, &single->in, single_is_stored, single, reply);
}

/* --- a delivery that is a list of them ------------------------------------------- */

static enum err take_one(struct taking *t, const struct hook_delivery *event)
{
	uint8_t key[SHA256_BYTES];
	struct sql_event_intake_in in;
	struct sql_event_intake_row row;

	TRY(describe(t, event, key, &in));
	TRY(sql_event_intake(t->cx->db, &in, 1, &row));
	return note(&t->intake, &in.event_id, &row);
}

/* An element of a list as a delivery of its own; its bytes are written anew, the signature was of the whole. */
static enum err take_element(struct taking *t, const json_t *element)
{
	BUF_AUTO struct buf body = { 0 };
	struct hook_delivery event = *t->delivery;
	struct json_writer w;

	buf_init(&body, BODY_MAX);
	jw_start(&w, &body);
	jw_add_tree(&w, element);
	TRY(buf_error(&body));
	event.json = element;
	event.body = buf_str(&body);
	return take_one(t, &event);
}

/* All of them or none: a delivery that is cut off comes again. */
static enum err take_list(struct db *db, void *arg)
{
	struct taking *t = arg;

	(void)db;
	t->intake = (struct intake){ .duplicate = true };
	for (size_t i = 0; i < json_length(t->list); i++)
		TRY(take_element(t, json_item(t->list, i)));
	return OK;
}

static const json_t *list_of(const struct hook_scheme *scheme, const struct hook_delivery *delivery)
{
	const json_t *list = str_eq(scheme->list, STR(".")) ? delivery->json : json_at(delivery->json, scheme->list);

	return json_is_kind(list, JSON_ARRAY) ? list : NULL;
}

enum err hook_take_in(struct ctx *cx, const struct hook *hook, const struct hook_scheme *scheme,
		      const struct hook_delivery *delivery, intake_done *done, void *arg, struct reply *reply)
{
	BUF_AUTO struct buf headers = { 0 };
	struct taking t = { .cx = cx, .hook = hook, .scheme = scheme, .delivery = delivery };

	buf_init(&headers, HEADERS_MAX);
	t.headers = arena_copy(cx->arena, headers_of(scheme, delivery, &headers));
	t.provider = arena_copy(cx->arena, hook->type);
	if (str_absent(t.headers) || str_absent(t.provider))
		return ERR_NO_MEMORY;
	t.list = str_absent(scheme->list) ? NULL : list_of(scheme, delivery);
	if (!t.list)
		return take_single(&t, done, arg, reply);
	enum err e = db_run(cx->db, take_list, &t);
	return done(arg, e, &t.intake);
}
