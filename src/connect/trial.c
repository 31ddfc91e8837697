#include "connect/trial.h"

#include "base/json_read.h"
#include "connect/catalog.h"
#include "connect/token.h"
#include "vault/seal.h"

/* --- which type ---------------------------------------------------------------------- */

/* Credentials that say enough by themselves are tried as a connection of that type. */
static const struct connector_type *type_by_credential(struct ctx *cx, struct str credential_type,
						       const json_t *data)
{
	static const struct {
		struct str credential_type, engine, type;
	} TYPES[] = {
		{ STR("database"), STR("postgresql"), STR("postgres") },
		{ STR("database"), STR("mysql"), STR("mariadb") },
		{ STR("database"), STR("mariadb"), STR("mariadb") },
		{ STR("smtp"), STR_NONE, STR("smtp") },
		{ STR("aws"), STR_NONE, STR("aws_s3") },
		{ STR("service_account"), STR_NONE, STR("google_service_account") },
	};
	struct str engine = json_member_text(data, "engine");

	for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++)
		if (str_eq(credential_type, TYPES[i].credential_type) &&
		    (str_absent(TYPES[i].engine) || str_eq(engine, TYPES[i].engine)))
			return catalog_find(cx->catalog, TYPES[i].type);
	return NULL;
}

static const struct connector_type *type_of(struct ctx *cx, struct str service,
					    struct str credential_type, const json_t *data)
{
	const struct connector_type *type = NULL;

	if (!cx->catalog)
		return NULL;
	if (service.n > 0)
		type = catalog_find(cx->catalog, service);
	return type ? type : type_by_credential(cx, credential_type, data);
}

/* --- which way ------------------------------------------------------------------------ */

static bool has(const struct values *values, struct str name)
{
	return values_get(values, name).n > 0;
}

static bool fits(const struct connector_type *type, const struct auth_way *way,
		 const struct values *values)
{
	for (size_t i = 0; i < type->fields; i++)
		if (type->field[i].required && connector_asks(way, &type->field[i]) &&
		    !has(values, type->field[i].name))
			return false;
	/* Without a person's token, a client acts for itself. */
	return way->mode != AUTH_OAUTH2 || has(values, STR("access_token")) ||
	       has(values, STR("refresh_token"));
}

/* The first that the values are enough for; else the first that keeps such a credential. */
static const struct auth_way *way_of(const struct connector_type *type, struct str credential_type,
				     const struct values *values)
{
	const struct auth_way *first = NULL;

	for (size_t i = 0; i < type->ways; i++) {
		const struct auth_way *way = &type->way[i];

		if (!str_eq(way->credential, credential_type) || way->mode == AUTH_NONE)
			continue;
		if (fits(type, way, values))
			return way;
		first = first ? first : way;
	}
	return first;
}

/* --- a token for it --------------------------------------------------------------------- */

static bool needs_token(const struct connector_type *type, const struct auth_way *way)
{
	const struct verify_spec *spec = connector_verify(type, way);

	if (way->mode == AUTH_OAUTH2)
		return true;
	/* Where the token is all that there is to try, verify_connection fetches one. */
	return (way->mode == AUTH_CLIENT_CREDENTIALS || way->mode == AUTH_SERVICE_ACCOUNT) &&
	       spec && spec->kind != VERIFY_TOKEN;
}

/* OK: an outcome. */
static enum err no_token(struct ctx *cx, enum err e, struct verify_outcome *ret_outcome)
{
	static const struct {
		enum err e;
		enum verify_code code;
	} CODES[] = {
		{ ERR_NEEDS_RECONNECT, VERIFY_TOKEN_EXPIRED },
		{ ERR_NO_TOKEN_HERE, VERIFY_UNSUPPORTED },
		{ ERR_OAUTH_NO_CLIENT, VERIFY_INVALID_CREDENTIALS },
		{ ERR_OAUTH_REFUSED, VERIFY_INVALID_CREDENTIALS },
		{ ERR_HOST_FORBIDDEN, VERIFY_HOST_FORBIDDEN },
		{ ERR_UPSTREAM, VERIFY_BAD_RESPONSE },
		{ ERR_UPSTREAM_TIMEOUT, VERIFY_TIMEOUT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
		if (CODES[i].e != e)
			continue;
		ret_outcome->code = CODES[i].code;
		ret_outcome->message = cx->problem.detail;
		problem_clear(&cx->problem);
		return OK;
	}
	return e;
}

static enum err take_token(struct ctx *cx, const struct id *credential, struct values *values,
			   struct verify_outcome *ret_outcome)
{
	struct token token = { .text = SECRET_EMPTY };
	enum err e = token_give(cx, credential, &token);

	if (e == OK)
		e = values_set(values, STR("access_token"), secret_str(&token.text));
	else
		e = no_token(cx, e, ret_outcome);
	secret_done(&token.text);
	return e;
}

/* --- trying ------------------------------------------------------------------------------- */

/* What is tried. Texts are the arena's. */
struct subject {
	const struct id *credential; /* NULL: it isn't stored */
	struct str credential_type, service;
	const json_t *data;
	const struct connector_type *type; /* NULL: the service's, or the credential's own */
	const struct auth_way *way;        /* NULL: the one that fits */
};

static enum err try_subject(struct ctx *cx, struct subject *s, struct verify_outcome *ret_outcome)
{
	VALUES_AUTO struct values values;

	values_init(&values);
	*ret_outcome = (struct verify_outcome){ .code = VERIFY_OK };
	if (!s->type)
		s->type = type_of(cx, s->service, s->credential_type, s->data);
	if (!s->type) {
		ret_outcome->code = VERIFY_UNSUPPORTED;
		return OK;
	}
	TRY(values_read(s->type, s->data, &values));
	if (!s->way)
		s->way = way_of(s->type, s->credential_type, &values);
	if (s->way && s->credential && needs_token(s->type, s->way))
		TRY(take_token(cx, s->credential, &values, ret_outcome));
	if (ret_outcome->code != VERIFY_OK)
		return OK;
	return verify_connection(cx, s->type, s->way, &values, ret_outcome);
}

/* The newest version, which the arena disposes of. */
static enum err open_stored(struct ctx *cx, const struct id *credential, struct subject *s)
{
	struct vault_opened opened = { .plain = SECRET_EMPTY };
	json_t *data = NULL;
	enum err e = vault_open_newest(cx, credential, &opened);

	if (e == OK)
		e = json_read(cx->arena, secret_str(&opened.plain), &data, NULL);
	secret_done(&opened.plain);
	TRY(e);
	s->credential = credential;
	s->credential_type = arena_copy(cx->arena, opened.type);
	s->service = str_absent(opened.service) ? STR_NONE : arena_copy(cx->arena, opened.service);
	s->data = data;
	return str_absent(s->credential_type) ? ERR_NO_MEMORY : OK;
}

enum err trial_of_credential(struct ctx *cx, const struct id *credential,
			     struct verify_outcome *ret_outcome)
{
	struct subject s = { .type = NULL };

	ctx_audit_target(cx, ID_CREDENTIAL, credential);
	TRY(open_stored(cx, credential, &s));
	cx->audit.service = s.service;
	return try_subject(cx, &s, ret_outcome);
}

enum err trial_of_connector(struct ctx *cx, const struct id *connector, struct id *ret_credential,
			    struct verify_outcome *ret_outcome)
{
	struct subject s = { .type = NULL };
	struct connector c;
	enum err e;

	ctx_audit_target(cx, ID_CONNECTOR, connector);
	TRY(connector_read(cx, connector, &c));
	cx->audit.service = arena_copy(cx->arena, c.type);
	s.type = cx->catalog ? catalog_find(cx->catalog, c.type) : NULL;
	s.way = s.type ? connector_way(s.type, c.auth) : NULL;
	if (!s.way) {
		*ret_outcome = (struct verify_outcome){ .code = VERIFY_UNSUPPORTED };
		return OK;
	}
	if (!c.credential.set)
		return ctx_fail(cx, ERR_NOT_CONNECTED,
				"This connector has no credential: connect it.");
	*ret_credential = c.credential.v;
	e = open_stored(cx, ret_credential, &s);
	if (e == ERR_NOT_FOUND)
		return ctx_fail(cx, ERR_NOT_CONNECTED,
				"Its credential is gone: connect it with another one.");
	TRY(e);
	return try_subject(cx, &s, ret_outcome);
}

enum err trial_of_data(struct ctx *cx, struct str credential_type, struct str service,
		       const json_t *data, struct verify_outcome *ret_outcome)
{
	struct subject s = { .credential_type = credential_type, .service = service, .data = data };

	cx->audit.service = service;
	return try_subject(cx, &s, ret_outcome);
}

enum err trial_of_way(struct ctx *cx, const struct connector_type *type, const struct auth_way *way,
		      const json_t *data, struct verify_outcome *ret_outcome)
{
	struct subject s = {
		.credential_type = way->credential, .data = data, .type = type, .way = way
	};

	cx->audit.service = type->id;
	return try_subject(cx, &s, ret_outcome);
}
