#include "flow/reach.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "connect/blot.h"
#include "connect/credential_way.h"
#include "flow/use.h"
#include "vault/seal.h"

void reach_init(struct reach *reach)
{
	*reach = (struct reach){ .credential_type = STR_NONE };
	values_init(&reach->values);
	reach->type = &reach->own;
}

void reach_done(struct reach *reach) { values_done(&reach->values); }

/* --- a connector ------------------------------------------------------------------------------------- */

enum err reach_connector(struct ctx *cx, struct str connector, struct reach *reach)
{
	struct connected *c = &reach->connected;
	struct id id;

	if (!id_parse(ID_CONNECTOR, connector, &id))
		return ERR_NOT_FOUND;
	TRY(connected_find(cx, &id, c));
	TRY(connected_usable(cx, c));
	reach->type = c->type;
	reach->way = c->way;
	reach->credential = c->connector.credential;
	reach->service = c->type->id;
	return OK;
}

/* --- a credential ------------------------------------------------------------------------------------ */

/* How a credential goes along that no type says it of. */
static void make_way(struct reach *reach, const struct values *values)
{
	static const struct str BEARER = STR("Bearer {access_token}");
	const struct str kind = reach->credential_type;
	struct auth_way *way = &reach->own_way;
	struct pair *header = &reach->own_header;

	*header = (struct pair){ STR("Authorization"), STR("Bearer {api_key}") };
	*way = (struct auth_way){ .mode = AUTH_API_KEY, .headers = { header, 1 }, .credential = kind };
	reach->way = way;
	if (str_eq(kind, STR("basic_auth"))) {
		*way = (struct auth_way){ .mode = AUTH_BASIC, .credential = kind };
		way->basic = true;
		way->basic_user = STR("{username}");
		way->basic_password = STR("{password}");
	} else if (str_eq(kind, STR("oauth2"))) {
		way->mode = AUTH_OAUTH2;
		header->value = BEARER;
	} else if (!str_eq(kind, STR("api_key"))) {
		reach->way = NULL;
	} else if (values_get(values, STR("header")).n > 0) {
		*header = (struct pair){ STR("{header}"), STR("{api_key}") };
	}
}

static enum err choose_way(struct ctx *cx, const json_t *data, struct reach *reach)
{
	const struct connector_type *type = credential_own_type(cx, reach->service, reach->credential_type, data);
	VALUES_AUTO struct values values;

	values_init(&values);
	TRY(values_read(type, data, &values));
	if (type) {
		reach->type = type;
		reach->way = credential_way(type, reach->credential_type, &values);
	} else {
		make_way(reach, &values);
	}
	return OK;
}

enum err reach_credential(struct ctx *cx, struct str credential, struct reach *reach)
{
	struct vault_opened opened = { .plain = SECRET_EMPTY };
	json_t *data = NULL;
	enum err e;

	if (!id_parse(ID_CREDENTIAL, credential, &reach->credential.v))
		return ERR_NOT_FOUND;
	reach->credential.set = true;
	e = vault_open_newest(cx, &reach->credential.v, &opened);
	if (e == OK)
		e = json_read(cx->arena, secret_str(&opened.plain), &data, NULL);
	secret_done(&opened.plain);
	TRY(e);
	reach->credential_type = arena_copy(cx->arena, opened.type);
	reach->service = str_absent(opened.service) ? STR_NONE : arena_copy(cx->arena, opened.service);
	if (str_absent(reach->credential_type))
		return ERR_NO_MEMORY;
	return choose_way(cx, data, reach);
}

/* --- both --------------------------------------------------------------------------------------------- */

enum err reach_open(struct ctx *cx, const struct step_run *run, struct reach *reach)
{
	struct opt_int version;

	if (!reach->credential.set)
		return OK;
	TRY(step_note_use(cx, run, &reach->credential.v, reach->service));
	return connection_values(cx, reach->type, reach->way, reach->credential, &reach->values, &version);
}

enum err reach_secrets(struct ctx *cx, const struct reach *reach, const struct call *call, struct texts *ret_secrets)
{
	struct str secret[CONNECTION_SECRETS_MAX];

	return blot_spellings(cx->arena, connection_secrets(reach->type, &reach->values, call, secret), ret_secrets);
}

enum err reach_failed(struct ctx *cx, struct step_run *run, enum err e)
{
	switch (e) {
	case OK:
		break;
	case ERR_UPSTREAM:
	case ERR_UPSTREAM_TIMEOUT:
	case ERR_PROVIDER_BUSY:
	case ERR_DB_RETRY:
	case ERR_DB_LOCKED:
		run->unsent = true;
		run->retry_after_ms = cx->problem.retry_after_s * 1000;
		break;
	default:
		run->hopeless = true;
	}
	return e;
}

enum err step_wrong(struct ctx *cx, struct step_run *run, const char *words)
{
	run->hopeless = true;
	return words ? ctx_fail(cx, ERR_STEP_CONFIG, words) : ERR_NO_MEMORY;
}

int step_left_ms(const struct step_run *run)
{
	int64_t left = run->deadline_ms - clock_now_ms();

	return left < 1 ? 1 : left > INT32_MAX ? INT32_MAX : (int)left;
}
