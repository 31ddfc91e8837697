#include "connect/connection_values.h"

#include "base/json_read.h"
#include "connect/blot.h"
#include "connect/token.h"
#include "vault/seal.h"

static bool fetches_token(enum auth_mode mode)
{
	return mode == AUTH_OAUTH2 || mode == AUTH_CLIENT_CREDENTIALS ||
	       mode == AUTH_SERVICE_ACCOUNT;
}

enum err connection_values(struct ctx *cx, const struct connector_type *type,
			   const struct auth_way *way, struct opt_id credential,
			   struct values *values, struct opt_int *ret_version)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	struct token token = { .text = SECRET_EMPTY };
	int64_t version = 0;
	json_t *data;
	enum err e;

	*ret_version = (struct opt_int){ 0 };
	if (!credential.set)
		return OK;
	if (way && fetches_token(way->mode))
		TRY(token_give(cx, &credential.v, &token));
	e = vault_open(cx, &credential.v, (struct opt_int){ 0 }, &version, &plain);
	if (e == OK)
		e = json_read(cx->arena, secret_str(&plain), &data, NULL);
	if (e == OK)
		e = values_read(type, data, values);
	if (e == OK && way && fetches_token(way->mode))
		e = values_set(values, STR("access_token"), secret_str(&token.text));
	secret_done(&token.text);
	*ret_version = (struct opt_int){ e == OK, version };
	if (e == ERR_NOT_FOUND)
		return ctx_fail(cx, ERR_NOT_CONNECTED,
				"Its credential is gone: connect it with another one.");
	return e;
}

struct texts connection_secrets(const struct connector_type *type, const struct values *values,
				const struct call *call, struct str secret[CONNECTION_SECRETS_MAX])
{
	const struct str usual[] = { STR("access_token"),  STR("refresh_token"),
				     STR("client_secret"), STR("api_key"),
				     STR("api_secret"),    STR("password") };
	struct str sent = call ? call_header_value(call, STR("authorization")) : STR_NONE;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		secret[n++] = values_get(values, usual[i]);
	for (size_t i = 0; type && i < type->fields && n < CONNECTION_SECRETS_MAX - 1; i++)
		if (type->field[i].secret)
			secret[n++] = values_get(values, type->field[i].name);
	if (!str_absent(sent))
		(void)str_cut(&sent, ' '); /* the scheme */
	secret[n++] = sent;
	return (struct texts){ secret, n };
}

bool connection_holds_secret(struct str text, struct texts secrets)
{
	return blot_finds(text, secrets);
}
