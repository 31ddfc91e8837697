/* Whose OAuth client a tenant connects with: its own, or the operator's. */
#include <errno.h>

#include "base/json_read.h"
#include "base/log.h"
#include "base/secret.h"
#include "connect/token.h"
#include "store/sql_oauth.h"
#include "vault/seal.h"

enum { SECRET_FILE_MAX = 16 << 10 };

static const struct str CLIENT_ID = { "client_id", 9 }, CLIENT_SECRET = { "client_secret", 13 };

static enum err no_client(struct ctx *cx, const struct connector_type *type, const char *why)
{
	struct str words = arena_printf(
		cx->arena,
		"%s %.*s needs an OAuth client: store its client_id and client_secret as a credential of type oauth2 and "
		"switch the service on with it (POST /api/v1/services/%.*s/enable), or ask the operator for a section "
		"[client %.*s] in latchwork.conf.",
		why, STR_ARG(type->name), STR_ARG(type->id), STR_ARG(type->id));

	cx->problem.detail = words;
	return ERR_OAUTH_NO_CLIENT;
}

/*
 * Where a client's secret goes isn't for whoever connects to say, nor for whoever changes the connection's credential:
 * it stands in the client's own credential (`data`), or it is what the type says. The operator's client (NULL) has
 * only the latter.
 */
static enum err put_places(const struct connector_type *type, const json_t *data,
			   struct values *values)
{
	VALUES_AUTO struct values own;

	values_init(&own);
	TRY(values_read(type, data, &own));
	for (size_t i = 0; i < type->fields; i++) {
		struct str name = type->field[i].name, value = values_get(&own, name);

		if (type->field[i].of_client)
			TRY(values_set(values, name, str_absent(value) ? STR("") : value));
	}
	return OK;
}

static enum err put(const struct connector_type *type, const json_t *data, struct values *values,
		    struct str id, struct str secret)
{
	TRY(put_places(type, data, values));
	TRY(values_set(values, CLIENT_ID, id));
	return values_set(values, CLIENT_SECRET, str_absent(secret) ? STR("") : secret);
}

/* --- the tenant's ------------------------------------------------------------- */

/* `ret_found` is false for a credential that holds no client: one of a connection, say. */
static enum err open_client(struct ctx *cx, const struct connector_type *type,
			    const struct id *credential, struct values *values, bool *ret_found)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	struct str id;
	json_t *data;
	int64_t version;

	TRY(vault_open(cx, credential, (struct opt_int){ 0 }, &version, &plain));
	TRY(json_read(cx->arena, secret_str(&plain), &data, NULL));
	id = json_member_text(data, CLIENT_ID.p);
	*ret_found = id.n > 0;
	return *ret_found ? put(type, data, values, id, json_member_text(data, CLIENT_SECRET.p))
			  : OK;
}

static enum err named_client(struct ctx *cx, const struct connector_type *type,
			     const struct id *credential, struct values *values)
{
	const struct sql_oauth_client_type_in in = { .credential_id = *credential };
	struct sql_oauth_client_type_row row;
	bool found = false;
	enum err e = sql_oauth_client_type(cx->db, &in, &row);

	if (e == OK && str_eq(row.type, STR("oauth2")))
		e = open_client(cx, type, credential, values, &found);
	TRY(e);
	return found ? OK
		     : no_client(cx, type,
				 "That credential isn't one of type oauth2 with a client_id.");
}

static enum err service_client(struct ctx *cx, const struct connector_type *type,
			       struct values *values, struct opt_id *ret_credential,
			       bool *ret_found)
{
	const struct sql_oauth_client_of_service_in in = { .service = type->id };
	struct sql_oauth_client_of_service_row row;
	enum err e = sql_oauth_client_of_service(cx->db, &in, &row);

	*ret_found = false;
	if (e == ERR_NOT_FOUND || (e == OK && !row.credential_id.set))
		return OK;
	TRY(e);
	if (str_absent(row.type))
		return no_client(cx, type,
				 "The credential that this service was switched on with is gone.");
	*ret_credential = row.credential_id;
	return str_eq(row.type, STR("oauth2"))
		       ? open_client(cx, type, &ret_credential->v, values, ret_found)
		       : OK;
}

/* --- the operator's ----------------------------------------------------------- */

/* Read each time: a secret that was changed counts at once. */
static enum err read_secret(struct ctx *cx, const struct connector_type *type,
			    const struct config_client *client, struct values *values)
{
	SECRET_AUTO struct secret secret = SECRET_EMPTY;
	enum err e;

	if (!client->client_secret_file || client->client_secret_file[0] == '\0')
		return put(type, NULL, values, str_of(client->client_id), STR_NONE);
	e = secret_read_file(client->client_secret_file, SECRET_FILE_MAX, &secret);
	if (e == OK)
		return put(type, NULL, values, str_of(client->client_id),
			   secret_str(&secret));
	log_write(LOG_ERROR, "an OAuth client's secret can't be read",
		  LOG_FIELDS(log_text("client", client->name),
			     log_text("file", client->client_secret_file), log_err(e),
			     log_errno(e == ERR_IO ? errno : 0)));
	return no_client(cx, type, "The operator's client secret can't be read.");
}

static enum err operators_client(struct ctx *cx, const struct connector_type *type,
				 struct values *values)
{
	for (size_t i = 0; i < cx->config->client_count; i++)
		if (str_eq(str_of(cx->config->client[i].name), type->id))
			return read_secret(cx, type, &cx->config->client[i], values);
	return no_client(cx, type, "There is none yet.");
}

enum err oauth_client_again(struct ctx *cx, const struct connector_type *type,
			    struct opt_id credential, struct values *values)
{
	return credential.set ? named_client(cx, type, &credential.v, values)
			      : operators_client(cx, type, values);
}

enum err oauth_client(struct ctx *cx, const struct connector_type *type, struct opt_id credential,
		      struct values *values, struct opt_id *ret_credential)
{
	bool found;

	*ret_credential = credential;
	if (credential.set)
		return named_client(cx, type, &credential.v, values);
	TRY(service_client(cx, type, values, ret_credential, &found));
	if (found)
		return OK;
	ret_credential->set = false;
	return operators_client(cx, type, values);
}
