/* Databases and mail servers: a connection's values as a login, and its end as an outcome. */
#include "connect/verify.h"
#include "core/calls.h"
#include "net/login.h"

typedef enum err (*login_function)(const struct login *, const struct egress_policy *,
				   struct login_answer *);

static const struct {
	login_function function;
	const char *port;
} LOGINS[] = {
	[VERIFY_POSTGRESQL] = { login_postgresql, "5432" },
	[VERIFY_MYSQL] = { login_mysql, "3306" },
	[VERIFY_SMTP] = { login_smtp, "465" },
};

static struct str first_of(const struct values *values, const char *name, const char *other)
{
	struct str value = values_get(values, str_of(name));

	return value.n > 0 ? value : values_get(values, str_of(other));
}

/* libpq's words, MySQL's words, and the flag of the credential type itself. False: without TLS. */
static bool read_tls(const struct values *values, enum login_tls *ret_tls)
{
	static const struct {
		struct str word;
		enum login_tls tls;
	} WORDS[] = {
		{ STR("verify-full"), LOGIN_TLS_VERIFY_NAME },
		{ STR("verify-identity"), LOGIN_TLS_VERIFY_NAME },
		{ STR("true"), LOGIN_TLS_VERIFY_NAME },
		{ STR("verify-ca"), LOGIN_TLS_VERIFY_CA },
		{ STR("require"), LOGIN_TLS_ANY },
		{ STR("required"), LOGIN_TLS_ANY },
	};
	struct str word = first_of(values, "sslmode", "tls");

	*ret_tls = LOGIN_TLS_VERIFY_NAME;
	for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
		if (!str_eq(word, WORDS[i].word))
			continue;
		*ret_tls = WORDS[i].tls;
		return true;
	}
	return word.n == 0;
}

static bool read_port(const struct values *values, uint16_t *ret_port)
{
	struct str text = values_get(values, STR("port"));
	uint64_t port = 0;

	if (text.n > 0 && (!str_to_u64(text, &port) || port == 0 || port > UINT16_MAX))
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static enum err refuse(struct verify_outcome *ret_outcome, enum verify_code code, struct str words)
{
	ret_outcome->code = code;
	ret_outcome->message = words;
	return ERR_END;
}

enum err verify_login_read(enum verify_kind kind, const struct values *values, struct login *ret_login,
			   struct verify_outcome *ret_outcome)
{
	*ret_login = (struct login){
		.host = values_get(values, STR("host")),
		.user = first_of(values, "user", "username"),
		.password = values_get(values, STR("password")),
		.database = kind == VERIFY_SMTP ? STR_NONE : values_get(values, STR("database")),
		.ca = values_get(values, STR("ca_certificate")),
		.certificate = values_get(values, STR("client_certificate")),
		.key = values_get(values, STR("client_key")),
		.starttls = str_eq(values_get(values, STR("security")), STR("starttls")),
	};
	if (ret_login->host.n == 0 || !read_port(values, &ret_login->port))
		return refuse(ret_outcome, VERIFY_INVALID_CREDENTIALS,
			      STR("The host or the port is missing or isn't one."));
	if (kind != VERIFY_SMTP && !read_tls(values, &ret_login->tls))
		return refuse(ret_outcome, VERIFY_TLS_FAILED,
			      STR("Connections without TLS aren't made."));
	return OK;
}

static void read_end(const struct login_answer *answer, struct verify_outcome *ret_outcome)
{
	static const enum verify_code CODES[] = {
		[LOGIN_DONE] = VERIFY_OK,
		[LOGIN_REFUSED] = VERIFY_INVALID_CREDENTIALS,
		[LOGIN_NOT_ALLOWED] = VERIFY_INSUFFICIENT_SCOPE,
		[LOGIN_FORBIDDEN] = VERIFY_HOST_FORBIDDEN,
		[LOGIN_UNREACHABLE] = VERIFY_HOST_UNREACHABLE,
		[LOGIN_NO_TLS] = VERIFY_TLS_FAILED,
		[LOGIN_TIMEOUT] = VERIFY_TIMEOUT,
		[LOGIN_BUSY] = VERIFY_RATE_LIMITED,
		[LOGIN_ODD] = VERIFY_BAD_RESPONSE,
	};

	ret_outcome->code = CODES[answer->end];
	ret_outcome->message = str_of(answer->words);
}

/* Two databases of one server are two accounts; who is signed in is what the server says. */
static void name_database(struct arena *arena, enum verify_kind kind, const struct values *values,
			  const struct login *login, const struct login_answer *answer,
			  struct verify_outcome *outcome)
{
	struct str port = values_get(values, STR("port"));
	struct str user = answer->account[0] ? str_of(answer->account) : login->user;

	if (port.n == 0)
		port = str_of(LOGINS[kind].port);
	outcome->account_id =
		verify_plain_text(arena, arena_printf(arena, "%.*s:%.*s/%.*s", STR_ARG(login->host),
						      STR_ARG(port), STR_ARG(login->database)));
	outcome->account_label = verify_plain_text(
		arena, arena_printf(arena, "%.*s@%.*s/%.*s", STR_ARG(user), STR_ARG(login->host),
				    STR_ARG(login->database)));
}

enum err verify_login(struct ctx *cx, const struct verify_spec *spec, const struct values *values,
		      struct verify_outcome *ret_outcome)
{
	struct login login;
	struct login_answer answer;
	enum err e = verify_login_read(spec->kind, values, &login, ret_outcome);
	int place;

	if (e != OK)
		return e == ERR_END ? OK : e;
	if (!cx->egress)
		return ERR_INTERNAL;
	TRY(call_enter(cx, login.host, 0, &place));
	e = LOGINS[spec->kind].function(&login, cx->egress, &answer);
	calls_leave(cx->calls, place);
	TRY(e);
	read_end(&answer, ret_outcome);
	if (ret_outcome->code != VERIFY_OK)
		return OK;
	if (spec->kind == VERIFY_SMTP)
		verify_account(cx->arena, spec, values, NULL, NULL, ret_outcome);
	else
		name_database(cx->arena, spec->kind, values, &login, &answer, ret_outcome);
	return OK;
}
