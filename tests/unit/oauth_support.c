#include "oauth_support.h"

#include <unistd.h>

#include "base/secret.h"
#include "connect/call.h"
#include "crypt/encode.h"
#include "crypt/hash.h"

#define COMMON                                                                                                      \
	"\"category\": \"custom\", \"regions\": [\"global\"], \"summary\": \"A shop.\","                            \
	" \"auth\": [{\"mode\": \"oauth2_authorization_code\", \"label\": \"Sign in\", \"credential\": \"oauth2\"," \
	"             \"headers\": {\"Authorization\": \"Bearer {access_token}\"}}],"                               \
	" \"verify\": [{\"request\": {\"url\": \"https://api.acme.example/me\"}, \"account_id\": [\"json:id\"]}],"

static const char ACME[] =
	"{\"id\": \"acme\", \"name\": \"Acme\", " COMMON
	" \"fields\": [{\"name\": \"pin\", \"label\": \"PIN\", \"member\": \"extra.pin\", \"secret\": true},"
	"              {\"name\": \"office\", \"label\": \"Office\", \"member\": \"extra.office\", \"of_client\": true,"
	"               \"default\": \"main\"}],"
	" \"placeholders\": {\"shop\": {\"pattern\": \"^[a-z0-9-]+\\\\.acme\\\\.example$\"}, \"lang\": {\"default\": \"en\"},"
	"                    \"realm\": {\"pattern\": \"^[0-9]+$\"}},"
	" \"hosts\": [\"{shop}\", \"api.acme.example\"],"
	" \"oauth2\": {\"authorization_url\": \"https://{shop}/authorize?lang={lang}\","
	"              \"token_url\": \"https://api.acme.example/token\", \"scopes\": [\"read\", \"write\"], \"pkce\": true,"
	"              \"callback_params\": [\"realm\"], \"token\": {\"keep\": [\"team.id\"]},"
	"              \"after_token\": {\"request\": {\"url\": \"https://api.acme.example/orgs\","
	"                \"headers\": {\"Authorization\": \"Bearer {access_token}\"}}, \"values\": {\"org\": \"[].id\"}}}}";
static const char SIGNED[] =
	"{\"id\": \"signed\", \"name\": \"Signed\", " COMMON
	" \"placeholders\": {\"shop\": {\"pattern\": \"^[a-z]+\\\\.acme\\\\.example$\"}},"
	" \"hosts\": [\"{shop}\", \"api.acme.example\"],"
	" \"oauth2\": {\"authorization_url\": \"https://{shop}/authorize\","
	"              \"token_url\": \"https://{shop}/token\", \"callback_params\": [\"shop\"],"
	"              \"callback_check\": \"shopify_hmac\", \"token\": {}}}";

struct catalog *acme_catalog, *signed_catalog;

long number(const char *sql) { return private_mariadb_number(&server, "latchwork", sql); }
void run(const char *sql) { private_mariadb_run(&server, "latchwork", sql); }

/* --- the provider ---------------------------------------------------------------- */

struct provider provider;

void copy(char *to, size_t size, struct str text) { snprintf(to, size, "%.*s", STR_ARG(text)); }

#define COPY(member, text) copy(provider.member, sizeof(provider.member), text)

enum err __wrap_token_fetch(struct ctx *cx, const struct token_request *request, struct buf *body,
			    struct token_answer *ret_answer, struct token_failure *ret_failure);
enum err __wrap_verify_connection(struct ctx *cx, const struct connector_type *type,
				  const struct auth_way *way, const struct values *values,
				  struct verify_outcome *ret_outcome);
enum err __wrap_call_send(struct ctx *cx, const struct call *call, struct buf *body,
			  struct http_answer *ret_answer);

enum err __wrap_token_fetch(struct ctx *cx, const struct token_request *request, struct buf *body,
			    struct token_answer *ret_answer, struct token_failure *ret_failure)
{
	uint8_t hash[SHA256_BYTES];

	(void)body;
	provider.calls++;
	assert_false(db_in_transaction(cx->db));
	assert_int_equal(request->grant, GRANT_CODE);
	COPY(code, request->code);
	COPY(redirect_uri, request->redirect_uri);
	COPY(asked, request->scopes);
	COPY(client_id, values_get(request->values, STR("client_id")));
	COPY(client_secret, values_get(request->values, STR("client_secret")));
	COPY(shop, values_get(request->values, STR("shop")));
	provider.challenge[0] = '\0';
	if (!str_absent(request->verifier)) {
		assert_in_range(request->verifier.n, 43, 128);
		sha256_of(BYTES(request->verifier), hash);
		base64url_encode_to((struct str){ (const char *)hash, sizeof(hash) },
				    provider.challenge);
	}
	*ret_failure = provider.failure;
	if (provider.answer != OK)
		return provider.answer;
	*ret_answer = (struct token_answer){ .access_token = STR("access-canary"),
					     .refresh_token = STR("refresh-canary"),
					     .scopes = str_of(provider.granted),
					     .body = tree(cx, "{\"team\": {\"id\": \"T7\"}}") };
	return OK;
}

enum err __wrap_verify_connection(struct ctx *cx, const struct connector_type *type,
				  const struct auth_way *way, const struct values *values,
				  struct verify_outcome *ret_outcome)
{
	(void)type;
	assert_false(db_in_transaction(cx->db));
	assert_int_equal(way->mode, AUTH_OAUTH2);
	assert_str(values_get(values, STR("access_token")), "access-canary");
	provider.verified++;
	*ret_outcome = provider.outcome;
	return OK;
}

enum err __wrap_call_send(struct ctx *cx, const struct call *call, struct buf *body,
			  struct http_answer *ret_answer)
{
	assert_false(db_in_transaction(cx->db));
	assert_str(buf_str(&call->url), "https://api.acme.example/orgs");
	assert_str(call_header_value(call, STR("Authorization")), "Bearer access-canary");
	*ret_answer = (struct http_answer){ .status = provider.orgs_status };
	buf_add_c(body, "[{\"id\": \"org-1\"}]");
	return buf_error(body);
}

/* --- browsers ---------------------------------------------------------------------- */

struct browser *browser_open(const struct id *tenant)
{
	struct browser *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->cx = open_vault("vault", tenant);
	b->cx->catalog = acme_catalog;
	b->tenant = *tenant;
	reply_init(&b->reply);
	return b;
}

void browser_close(struct browser *b)
{
	reply_done(&b->reply);
	close_vault(b->cx);
	free(b);
}

void take_header(const struct browser *b, const char *start, const char *ends, char *to,
		 size_t size)
{
	struct str head = buf_str(&b->reply.head);

	to[0] = '\0';
	while (!str_absent(head)) {
		struct str line = str_cut(&head, '\n');
		size_t n = 0;

		if (!str_starts(line, str_of(start)))
			continue;
		line = str_slice(line, strlen(start), SIZE_MAX);
		while (n < line.n && !strchr(ends, line.p[n]))
			n++;
		copy(to, size, str_slice(line, 0, n));
	}
}

static void take_param(const char *url, const char *name, char to[64])
{
	const char *at = strstr(url, name);

	to[0] = '\0';
	if (at)
		snprintf(to, 64, "%.*s", (int)strcspn(at + strlen(name), "&"), at + strlen(name));
}

void begin_request(struct browser *b, const char *query)
{
	struct ctx *cx = b->cx;
	size_t n = 0;

	arena_reset(cx->arena);
	reply_reset(&b->reply);
	snprintf(b->query, sizeof(b->query), "%s", query);
	if (b->jar[0])
		b->params[n++] = b->jar;
	if (b->accept[0])
		b->params[n++] = b->accept;
	b->params[n] = NULL;
	b->decoder = (struct decoder){ .params = b->params };
	b->request = (struct request){ .method = STR("GET"),
				       .path = STR("/"),
				       .query = b->query[0] ? str_of(b->query) : STR_NONE,
				       .fcgi = &b->decoder };
	cx->request = &b->request;
	cx->request_text = STR("req-7");
	problem_clear(&cx->problem);
	cx->audit = (struct audit_note){ 0 };
	cx->keep_changes = false;
}

void end_request(struct browser *b)
{
	char cookie[192];

	assert_false(db_in_transaction(b->cx->db));
	take_header(b, "Location: ", "\r", b->location, sizeof(b->location));
	take_header(b, "Set-Cookie: ", ";\r", cookie, sizeof(cookie));
	if (cookie[0])
		snprintf(b->jar, sizeof(b->jar), "HTTP_COOKIE=a=b; %s; c=d", cookie);
	buf_add_char(&b->reply.body, '\0');
}

enum err start_with(struct browser *b, const char *query, const struct oauth_start_in *in)
{
	enum err e;

	begin_request(b, query);
	b->cx->who = (struct principal){ .who = WHO_USER,
					 .tenant = b->tenant,
					 .user = USER_A,
					 .role = ROLE_ADMIN,
					 .live = true };
	ctx_enter(b->cx);
	e = oauth_start(b->cx, in, &b->reply);
	end_request(b);
	take_param(b->location, "&state=", b->state);
	take_param(b->location, "code_challenge=", b->challenge);
	return e;
}

enum err back(struct browser *b, const char *type, const char *query)
{
	const struct oauth_callback_in in = { .type = str_of(type) };
	enum err e;

	begin_request(b, query);
	b->cx->who = (struct principal){ .who = WHO_NOBODY };
	ctx_enter(b->cx);
	e = oauth_callback(b->cx, &in, &b->reply);
	end_request(b);
	return e;
}

const char *with_state(const struct browser *b, const char *rest)
{
	static char query[1024];

	snprintf(query, sizeof(query), "state=%s&%s", b->state, rest);
	return query;
}

bool page_says(const struct browser *b, const char *text)
{
	return strstr(b->reply.body.p, text) != NULL;
}

void assert_page(const struct browser *b, int status, const char *text)
{
	assert_int_equal(b->reply.status, status);
	assert_string_equal(b->location, "");
	assert_true(b->cx->keep_changes || status == 200);
	if (!page_says(b, text))
		fail_msg("the page doesn't say \"%s\": %s", text, b->reply.body.p);
}

void assert_sent_to(const struct browser *b, const char *location)
{
	assert_int_equal(b->reply.status, 303);
	assert_string_equal(b->location, location);
}

void assert_starts(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)) != 0)
		fail_msg("%s doesn't begin with %s", text, start);
}

void connect_to(struct browser *b, const char *account)
{
	provider.outcome.account_id = str_of(account);
	assert_ok(START(b, SHOP));
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	assert_int_equal(b->reply.status, 200);
}

/* Four bytes at a time: a long holds no more for sure. */
struct id only_connector(void)
{
	char sql[128];
	struct id id;

	assert_int_equal(number("SELECT COUNT(*) FROM connector"), 1);
	for (unsigned i = 0; i < sizeof(id.b); i += 4) {
		snprintf(sql, sizeof(sql),
			 "SELECT CONV(HEX(SUBSTR(connector_id, %u, 4)), 16, 10) FROM connector",
			 i + 1);
		uint32_t part = (uint32_t)number(sql);

		for (unsigned k = 0; k < 4; k++)
			id.b[i + k] = (uint8_t)(part >> (24 - 8 * k));
	}
	return id;
}

/* --- before and after ---------------------------------------------------------------- */

static int load(const char *name, const char *text, struct catalog **ret_catalog)
{
	char why[CATALOG_WHY_MAX];

	if (catalog_load_text(str_of(name), str_of(text), why, ret_catalog) == OK)
		return 0;
	fprintf(stderr, "%s: %s\n", name, why);
	return -1;
}

static char secret_file[] = "/tmp/lw-test-client-XXXXXX";

int start_oauth(void **state)
{
	int fd = mkstemp(secret_file);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file || fputs("op-secret\n", file) < 0 || fclose(file) != 0)
		return -1;
	if (start_vault(state) != 0 || load("acme.json", ACME, &acme_catalog) != 0)
		return -1;
	return load("signed.json", SIGNED, &signed_catalog);
}

int stop_oauth(void **state)
{
	catalog_free(acme_catalog);
	catalog_free(signed_catalog);
	unlink(secret_file);
	return stop_feature(state);
}

int fresh_oauth(void **state)
{
	static char public_url[] = "https://lw.example", origins[] = "https://app.example",
		    id[] = "op-id", name[] = "acme";

	config.server_public_url = public_url;
	config.oauth_return_origins = origins;
	config.oauth_state_ms = 600000;
	config.client_count = 1;
	config.client[0] = (struct config_client){ .name = name,
						   .client_id = id,
						   .client_secret_file = secret_file };
	memset(&provider, 0, sizeof(provider));
	provider.orgs_status = 200;
	provider.outcome = (struct verify_outcome){ .account_id = STR("A1") };
	private_mariadb_run(
		&server, "latchwork",
		"DELETE FROM oauth_state; DELETE FROM connector; DELETE FROM service_setting;"
		"DELETE FROM token_refresh; DELETE FROM membership; DELETE FROM user;"
		"INSERT INTO user (user_id, email, created_at, updated_at) VALUES"
		"(RPAD(x'aa11', 16, x'00'), 'a@example.com', 1, 1);"
		"INSERT INTO membership (tenant_id, user_id, role, created_at) VALUES"
		"(RPAD(x'aa01', 16, x'00'), RPAD(x'aa11', 16, x'00'), 'member', 1),"
		"(RPAD(x'bb02', 16, x'00'), RPAD(x'aa11', 16, x'00'), 'member', 1)");
	return empty_vault(state);
}
