/* A connector's config, changed: what was sent is checked together with what is stored. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/connection.h"
#include "connect/values.h"
#include "vault/credential.h"
#include "vault/data.h"
#include "vault/seal.h"

enum { MASK_MAX = 64 };

struct merging {
	struct ctx *cx;
	const struct connector_type *type;
	const struct auth_way *way;
	const json_t *sent;
	struct secret plain; /* the stored data */
	struct values stored;
};

/* A client that sends back the masked data that it was shown means the secret itself. */
static bool is_own_mask(const struct connector_field *field, struct str sent, struct str stored)
{
	char text[MASK_MAX];
	BUF_AUTO struct buf mask = { 0 };

	if (!field->secret || str_absent(sent) || str_absent(stored) || sent.n > sizeof(text))
		return false;
	buf_init(&mask, MASK_MAX);
	vault_mask_text(stored, &mask);
	return buf_error(&mask) == OK && str_eq(buf_str(&mask), sent);
}

/* What was sent for a field; NULL when that is nothing, or its mask. */
static const json_t *sent_for(const struct merging *m, const struct connector_field *field)
{
	const json_t *value = json_member(m->sent, field->name.p);

	return value && is_own_mask(field, json_text(value), values_get(&m->stored, field->name))
		       ? NULL
		       : value;
}

/* null or an empty text: the field is emptied. */
static bool is_emptied(const struct merging *m, const struct connector_field *field)
{
	const json_t *value = json_member(m->sent, field->name.p);

	return json_is_kind(value, JSON_NULL) ||
	       (json_is_kind(value, JSON_STRING) && json_text(value).n == 0);
}

static void put_stored(struct json_writer *w, const struct merging *m,
		       const struct connector_field *field)
{
	struct str value = values_get(&m->stored, field->name);

	/* A whole key file is spread over the data: the data stands for it. */
	if (str_eq(field->member, STR("*"))) {
		jw_key_str(w, field->name);
		jw_add_raw(w, secret_str(&m->plain));
	} else if (!str_absent(value)) {
		jw_key_str(w, field->name);
		jw_add_text(w, value);
	}
}

/* What was sent, and for what wasn't what is stored: so it can be checked as a whole. */
static enum err whole_config(const struct merging *m, json_t **ret_config)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	buf_init(&text, 2 * VAULT_DATA_MAX);
	jw_start(&w, &text);
	jw_object(&w);
	for (void *i = json_first(m->sent); i; i = json_next(m->sent, i)) {
		const struct connector_field *field = connector_field(m->type, json_iter_key(i));

		if (field && !sent_for(m, field))
			continue;
		jw_key_str(&w, json_iter_key(i));
		jw_add_tree(&w, json_iter_value(i));
	}
	for (size_t i = 0; i < m->type->fields; i++)
		if (connector_asks(m->way, &m->type->field[i]) && !sent_for(m, &m->type->field[i]))
			put_stored(&w, m, &m->type->field[i]);
	jw_object_end(&w);
	TRY(buf_error(&text));
	return json_read(m->cx->arena, buf_str(&text), ret_config, NULL);
}

/* The vault keeps what a change doesn't name: what is to go away has to be said. `extra` is the members' place. */
static void put_emptied(struct json_writer *w, const struct merging *m, const json_t *data,
			bool extra)
{
	for (size_t i = 0; i < m->type->fields; i++) {
		const struct connector_field *field = &m->type->field[i];
		struct str name = extra ? str_slice(field->member, 6, SIZE_MAX) : field->member;

		/* One with a default isn't empty. */
		if (str_starts(field->member, STR("extra.")) != extra || !is_emptied(m, field) ||
		    json_member(data, name.p))
			continue;
		jw_key_str(w, name);
		jw_add_null(w);
	}
}

/* Whether a member of the data, or of its `extra`, is of a field that was sent: a key file's is any. */
static bool was_sent(const struct merging *m, struct str member, bool extra)
{
	for (size_t i = 0; i < m->type->fields; i++) {
		const struct connector_field *field = &m->type->field[i];
		struct str own = extra ? str_slice(field->member, 6, SIZE_MAX) : field->member;
		bool here =
			str_starts(field->member, STR("extra.")) == extra && str_eq(own, member);

		if ((here || (!extra && str_eq(field->member, STR("*")))) && sent_for(m, field))
			return true;
	}
	return false;
}

static void put_members(struct json_writer *w, const struct merging *m, const json_t *data,
			bool extra)
{
	for (void *i = data ? json_first(data) : NULL; i; i = json_next(data, i)) {
		if (!was_sent(m, json_iter_key(i), extra) ||
		    (!extra && str_eq(json_iter_key(i), STR(VAULT_EXTRA))))
			continue;
		jw_key_str(w, json_iter_key(i));
		jw_add_tree(w, json_iter_value(i));
	}
	put_emptied(w, m, data, extra);
}

/*
 * Of the whole only what was sent: the vault has to see whether somebody who points a secret to another host knows
 * it.
 */
static enum err change_of(const struct merging *m, const json_t *data, json_t **ret_change)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	buf_init(&text, 2 * VAULT_DATA_MAX);
	jw_start(&w, &text);
	jw_object(&w);
	put_members(&w, m, data, false);
	jw_key(&w, VAULT_EXTRA);
	jw_object(&w);
	put_members(&w, m, json_member(data, VAULT_EXTRA), true);
	jw_object_end(&w);
	jw_object_end(&w);
	TRY(buf_error(&text));
	return json_read(m->cx->arena, buf_str(&text), ret_change, NULL);
}

static enum err merge(struct merging *m, struct credential *credential, bool *ret_changed)
{
	json_t *stored, *whole, *data, *change;
	int64_t version;
	enum err e;

	TRY(vault_open(m->cx, &credential->id, (struct opt_int){ 0 }, &version, &m->plain));
	TRY(json_read(m->cx->arena, secret_str(&m->plain), &stored, NULL));
	TRY(values_read(m->type, stored, &m->stored));
	TRY(whole_config(m, &whole));
	TRY(connection_read_config(m->cx, m->type, m->way, whole, &data));
	TRY(change_of(m, data, &change));
	e = vault_change(m->cx, credential,
			 &(struct vault_change){ .data = change, .by_hand = true }, ret_changed);
	if (e == ERR_BAD_INPUT)
		connection_name_places(m->cx, m->type);
	return e;
}

static enum err merge_into(struct ctx *cx, const struct connector_type *type,
			   const struct auth_way *way, const json_t *config,
			   struct credential *credential, bool *ret_changed)
{
	struct merging m = {
		.cx = cx, .type = type, .way = way, .sent = config, .plain = SECRET_EMPTY
	};
	const struct audit_note note = cx->audit;
	enum err e;

	values_init(&m.stored);
	e = merge(&m, credential, ret_changed);
	values_done(&m.stored);
	secret_done(&m.plain);
	cx->audit = note; /* the row is about the connector */
	return e;
}

enum err connection_merge(struct ctx *cx, const struct connector_type *type, const json_t *config,
			  struct connector *c, bool *ret_changed)
{
	const struct auth_way *way = connector_way(type, c->auth);
	struct credential credential;
	enum err e;

	if (!way)
		return ctx_fail(
			cx, ERR_CONFLICT,
			"This provider's way to authenticate has changed: connect it again.");
	if (way->mode == AUTH_OAUTH2)
		return ctx_bad_field(cx, "config", "NEEDS_CONSENT", CONNECTION_BY_CONSENT);
	e = c->credential.set ? connection_lock_credential(cx, &c->credential.v, &credential)
			      : ERR_NOT_FOUND;
	if (e == ERR_NOT_FOUND)
		return ctx_fail(cx, ERR_CONFLICT,
				"Its credential is gone: connect it with another one.");
	TRY(e);
	TRY(merge_into(cx, type, way, config, &credential, ret_changed));
	if (*ret_changed && !str_eq(c->status, STR("disabled")))
		connection_begin(cx, connection_untried(type, way), c);
	return OK;
}
