#include "connect/trial.h"

#include "base/json_read.h"
#include "connect/catalog.h"
#include "connect/credential_way.h"
#include "connect/own_type.h"
#include "connect/token.h"
#include "vault/seal.h"
#include "vault/use.h"

/* --- what is tried ------------------------------------------------------------------------ */

/* What is tried. Texts are the arena's. */
struct subject {
	const struct id *credential; /* NULL: it isn't stored */
	int64_t version;
	struct str credential_type, service;
	const json_t *data;
	const struct connector_type *type; /* NULL: the service's, or the credential's own */
	const struct auth_way *way;        /* NULL: the one that fits */
};

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
	s->version = opened.version;
	s->credential_type = arena_copy(cx->arena, opened.type);
	s->service = str_absent(opened.service) ? STR_NONE : arena_copy(cx->arena, opened.service);
	s->data = data;
	return str_absent(s->credential_type) ? ERR_NO_MEMORY : OK;
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

/* The token is of that version, so what goes with it has to be, too. */
static enum err follow(struct ctx *cx, struct subject *s, int64_t version, struct values *values)
{
	if (version == s->version)
		return OK;
	TRY(open_stored(cx, s->credential, s));
	s->version = version;
	values_done(values);
	values_init(values);
	return values_read(s->type, s->data, values);
}

static enum err take_token(struct ctx *cx, struct subject *s, struct values *values,
			   struct verify_outcome *ret_outcome)
{
	struct token token = { .text = SECRET_EMPTY };
	enum err e = token_give(cx, s->credential, &token);

	if (e == OK)
		e = follow(cx, s, token.version, values);
	else
		e = no_token(cx, e, ret_outcome);
	if (e == OK && ret_outcome->code == VERIFY_OK)
		e = values_set(values, STR("access_token"), secret_str(&token.text));
	secret_done(&token.text);
	return e;
}

/* --- a provider that isn't in the catalogue ----------------------------------------------- */

/* Words for the outcome; the type stays unknown. */
static enum err cannot(struct ctx *cx, const char *why, struct verify_outcome *ret_outcome)
{
	ret_outcome->message = arena_printf(
		cx->arena, "Without a service it is tried by getting a token as a client of its own: %s.", why);
	return str_absent(ret_outcome->message) ? ERR_NO_MEMORY : OK;
}

/*
 * An OAuth client that says where its tokens come from. A person's refresh token isn't used up for a trial, and the
 * client that it was given to may get no tokens of its own.
 */
static enum err find_own_type(struct ctx *cx, struct subject *s, struct verify_outcome *ret_outcome)
{
	static const char *const NEEDED[] = { "token_url", "client_id", "client_secret" };
	VALUES_AUTO struct values values;
	enum err e;

	values_init(&values);
	if (json_member_text(s->data, "refresh_token").n > 0)
		return cannot(cx, "a person's tokens can't be tried so", ret_outcome);
	for (size_t i = 0; i < ARRAY_SIZE(NEEDED); i++) {
		struct str words;

		if (json_member_text(s->data, NEEDED[i]).n > 0)
			continue;
		words = arena_printf(cx->arena, "%s is missing", NEEDED[i]);
		return str_absent(words) ? ERR_NO_MEMORY : cannot(cx, words.p, ret_outcome);
	}
	TRY(values_read(NULL, s->data, &values));
	e = own_type(cx, &values, STR("token_url"), &s->type);
	return e == ERR_NO_TOKEN_HERE ? cannot(cx, "token_url isn't a URL", ret_outcome) : e;
}

/* --- trying ------------------------------------------------------------------------------- */

static enum err try_subject(struct ctx *cx, struct subject *s, struct verify_outcome *ret_outcome)
{
	VALUES_AUTO struct values values;

	values_init(&values);
	*ret_outcome = (struct verify_outcome){ .code = VERIFY_OK };
	if (!s->type)
		s->type = credential_own_type(cx, s->service, s->credential_type, s->data);
	if (!s->type && str_eq(s->credential_type, STR("oauth2")))
		TRY(find_own_type(cx, s, ret_outcome));
	if (!s->type) {
		ret_outcome->code = VERIFY_UNSUPPORTED;
		return OK;
	}
	TRY(values_read(s->type, s->data, &values));
	if (!s->way)
		s->way = credential_way(s->type, s->credential_type, &values);
	TRY(vault_may_use(cx));
	if (s->way && s->credential && needs_token(s->type, s->way))
		TRY(take_token(cx, s, &values, ret_outcome));
	if (ret_outcome->code != VERIFY_OK)
		return OK;
	return verify_connection(cx, s->type, s->way, &values, ret_outcome);
}

static enum err try_stored(struct ctx *cx, struct subject *s, struct tried *ret_tried,
			   struct verify_outcome *ret_outcome)
{
	enum err e = try_subject(cx, s, ret_outcome);

	*ret_tried = (struct tried){ *s->credential, s->version };
	return e;
}

enum err trial_of_credential(struct ctx *cx, const struct id *credential, struct tried *ret_tried,
			     struct verify_outcome *ret_outcome)
{
	struct subject s = { .type = NULL };

	ctx_audit_target(cx, ID_CREDENTIAL, credential);
	TRY(open_stored(cx, credential, &s));
	cx->audit.service = s.service;
	return try_stored(cx, &s, ret_tried, ret_outcome);
}

enum err trial_of_connector(struct ctx *cx, const struct id *connector, struct tried *ret_tried,
			    struct verify_outcome *ret_outcome)
{
	struct subject s = { .type = NULL };
	struct connector c;
	enum err e;

	*ret_tried = (struct tried){ .credential = ID_NIL };
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
	e = open_stored(cx, &c.credential.v, &s);
	if (e == ERR_NOT_FOUND)
		return ctx_fail(cx, ERR_NOT_CONNECTED,
				"Its credential is gone: connect it with another one.");
	TRY(e);
	return try_stored(cx, &s, ret_tried, ret_outcome);
}

enum err trial_note(struct ctx *cx, const struct tried *tried, const struct verify_outcome *outcome)
{
	if (id_is_nil(&tried->credential))
		return OK;
	return connector_note_outcome(cx, &tried->credential, (struct opt_int){ true, tried->version }, outcome);
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
