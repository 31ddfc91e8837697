#include "connect/connection.h"

#include "base/json_read.h"
#include "connect/values.h"
#include "store/sql_connector.h"
#include "store/sql_token_refresh.h"
#include "vault/credential.h"
#include "vault/data.h"

enum err connection_lock_credential(struct ctx *cx, const struct id *id,
				    struct credential *ret_credential)
{
	const struct audit_note note = cx->audit;
	enum err e = vault_lock(cx, id, ret_credential);

	if (note.has_target)
		cx->audit = note;
	return e;
}

/* --- which way: NULL, and a bad place, for none ---------------------------- */

static const struct auth_way *bad_way(struct ctx *cx, const char *field, const char *code,
				      const char *words)
{
	(void)ctx_bad_field(cx, field, code, words);
	return NULL;
}

static const struct auth_way *unknown_way(struct ctx *cx)
{
	return bad_way(cx, "auth", "NOT_ALLOWED", "isn't a way to authenticate at this provider");
}

const struct auth_way *connection_way(struct ctx *cx, const struct connector_type *type, struct str auth)
{
	const struct auth_way *way = NULL;

	if (!str_absent(auth) && !(way = connector_way(type, auth)))
		return unknown_way(cx);
	for (size_t i = 0; i < type->ways && !way; i++)
		if (type->way[i].mode != AUTH_OAUTH2)
			way = &type->way[i];
	if (!way || way->mode == AUTH_OAUTH2)
		return bad_way(cx, way ? "auth" : "connector_type", "NEEDS_CONSENT",
			       CONNECTION_BY_CONSENT);
	return way;
}

static const struct auth_way *way_for_credential(struct ctx *cx, const struct connector_type *type,
						 struct str auth, struct str credential_type)
{
	const struct auth_way *way = str_absent(auth) ? NULL : connector_way(type, auth);

	if (!str_absent(auth) && !way)
		return unknown_way(cx);
	for (size_t i = 0; i < type->ways && !way; i++)
		if (str_eq(type->way[i].credential, credential_type))
			way = &type->way[i];
	if (!way || !str_eq(way->credential, credential_type))
		return bad_way(cx, "credential_id", "NOT_ALLOWED",
			       "is of a type that this provider doesn't take");
	return way;
}

/* --- its status ------------------------------------------------------------ */

static bool can_be_tried(const struct connector_type *type, const struct auth_way *way)
{
	const struct verify_spec *spec = connector_verify(type, way);

	return spec && spec->kind != VERIFY_NONE;
}

struct str connection_untried(const struct connector_type *type, const struct auth_way *way)
{
	return can_be_tried(type, way) ? STR("pending") : STR("active");
}

static struct str status_in(const struct connector_type *type, const struct auth_way *way,
			    const struct credential *credential)
{
	if (!str_eq(credential->status, STR("untested")))
		return credential->status;
	return type && way ? connection_untried(type, way) : STR("pending");
}

static void forget_error(struct connector *c)
{
	c->error_code = c->error_message = STR_NONE;
	c->error_at = (struct opt_int){ 0 };
}

void connection_begin(struct ctx *cx, struct str status, struct connector *c)
{
	c->status = status;
	c->next_check_at = (struct opt_int){ !str_eq(status, STR("needs_reconnect")),
					     cx->now_ms + CONNECTOR_CHECK_MS };
	forget_error(c);
}

/* --- made of a config -------------------------------------------------------- */

/* "data.extra.shop" is the place in the credential; the person knows it as "config.shop". */
void connection_name_places(struct ctx *cx, const struct connector_type *type)
{
	for (size_t i = 0; i < cx->problem.count; i++) {
		struct str *place = &cx->problem.field[i].field;
		struct str member = str_slice(*place, sizeof("data.") - 1, place->n);

		for (size_t j = 0; j < type->fields && str_starts(*place, STR("data.")); j++) {
			if (!str_eq(type->field[j].member, member))
				continue;
			struct str name = arena_printf(cx->arena, "config.%.*s",
						       STR_ARG(type->field[j].name));

			if (!str_absent(name))
				*place = name;
		}
	}
}

enum err connection_read_config(struct ctx *cx, const struct connector_type *type,
				const struct auth_way *way, const json_t *config, json_t **ret_data)
{
	BUF_AUTO struct buf data = { 0 };

	buf_init(&data, VAULT_DATA_MAX);
	TRY(values_to_data(cx, type, way, config, &data));
	return json_read(cx->arena, buf_str(&data), ret_data, NULL);
}

enum err connection_by_config(struct ctx *cx, const struct connector_type *type, struct str auth,
			      const json_t *config, struct connector *c)
{
	struct credential made;
	const struct auth_way *way;
	json_t *data = NULL;
	enum err e;

	way = connection_way(cx, type, auth);
	if (!way)
		return ERR_BAD_INPUT;
	if (!config)
		return ctx_bad_field(cx, "config", "REQUIRED",
				     "is missing: the provider's fields, or a credential_id");
	TRY(connection_read_config(cx, type, way, config, &data));
	const struct vault_new new = {
		.name = c->display_name,
		.type = way->credential,
		.service = type->id,
		.data = data,
	};
	e = vault_create(cx, &new, &made);
	if (e == ERR_BAD_INPUT)
		connection_name_places(cx, type);
	TRY(e);
	c->auth = way->id;
	c->credential = (struct opt_id){ true, made.id };
	c->owns_credential = true;
	connection_begin(cx, connection_untried(type, way), c);
	return OK;
}

/* --- a stored one ------------------------------------------------------------ */

enum err connection_by_credential(struct ctx *cx, const struct connector_type *type,
				  struct str auth, const struct id *id, struct connector *c)
{
	const struct auth_way *way;
	struct credential stored;
	enum err e = connection_lock_credential(cx, id, &stored);

	if (e == ERR_NOT_FOUND)
		return ctx_bad_field(cx, "credential_id", "NOT_FOUND",
				     "isn't one of the tenant's credentials");
	TRY(e);
	if (!str_absent(stored.service) && !str_eq(stored.service, type->id))
		return ctx_bad_field(cx, "credential_id", "NOT_ALLOWED", "is for another service");
	way = way_for_credential(cx, type, auth, stored.type);
	if (!way)
		return ERR_BAD_INPUT;
	c->auth = way->id;
	c->credential = (struct opt_id){ true, *id };
	c->owns_credential = false;
	c->account_id = c->account_label = c->scopes = STR_NONE;
	c->limited = false;
	connection_begin(cx, status_in(type, way, &stored), c);
	return OK;
}

/* --- on again, and let go --------------------------------------------------- */

enum err connection_enable(struct ctx *cx, const struct connector_type *type, struct connector *c)
{
	const struct auth_way *way = type ? connector_way(type, c->auth) : NULL;
	struct credential stored;
	enum err e = c->credential.set ? connection_lock_credential(cx, &c->credential.v, &stored)
				       : ERR_NOT_FOUND;

	if (e == ERR_NOT_FOUND)
		return ctx_fail(cx, ERR_CONFLICT,
				"Its credential is gone: connect it with another one.");
	TRY(e);
	connection_begin(cx, status_in(type, way, &stored), c);
	return OK;
}

enum err connection_release(struct ctx *cx, const struct id *credential, bool owned)
{
	const struct sql_connector_uses_in uses = { .credential_id = *credential };
	const struct sql_token_refresh_forget_in token = { .credential_id = *credential };
	struct sql_connector_uses_row left;
	struct credential stored;
	enum err e;

	if (!owned)
		return OK;
	TRY(sql_connector_uses(cx->db, &uses, &left));
	if (left.uses > 0)
		return OK;
	e = connection_lock_credential(cx, credential, &stored);
	if (e == ERR_NOT_FOUND) /* somebody hid it before */
		return OK;
	TRY(e);
	TRY(vault_hide(cx, &stored));
	return sql_token_refresh_forget(cx->db, &token, NULL);
}
