/* Trying connections, in a database: what is called, what is written down, and what isn't. The provider is a script. */
#include "vault_support.h"

#include "base/json_write.h"
#include "connect/call.h"
#include "connect/catalog.h"
#include "connect/connector.h"
#include "connect/trial.h"
#include "core/operations.h"
#include "net/login.h"

static const char ACME[] =
	"{\"id\": \"acme\", \"name\": \"Acme\", \"category\": \"custom\", \"regions\": [\"global\"], \"summary\": \"A shop.\","
	" \"auth\": [{\"mode\": \"api_key\", \"label\": \"Key\", \"credential\": \"api_key\", \"headers\": {\"X-Key\": \"{key}\"}},"
	"  {\"mode\": \"api_key\", \"id\": \"pair\", \"label\": \"Two keys\", \"credential\": \"api_key\","
	"   \"headers\": {\"X-Key\": \"{key}\", \"X-Second\": \"{second}\"}}],"
	" \"fields\": [{\"name\": \"key\", \"label\": \"Key\", \"required\": true, \"secret\": true, \"member\": \"api_key\"},"
	"  {\"name\": \"second\", \"label\": \"Second\", \"required\": true, \"secret\": true, \"member\": \"api_secret\","
	"   \"auth\": [\"pair\"]}],"
	" \"hosts\": [\"api.acme.example\"],"
	" \"verify\": [{\"request\": {\"url\": \"https://api.acme.example/me\"}, \"must_have\": \"id\","
	"              \"account_id\": [\"json:id\"], \"account_label\": [\"header:X-Org\", \"json:name\"]}]}";

static const char MAIL[] =
	"{\"id\": \"smtp\", \"name\": \"Mail\", \"category\": \"custom\", \"regions\": [\"global\"], \"summary\": \"Mail.\","
	" \"auth\": [{\"mode\": \"smtp\", \"label\": \"User\", \"credential\": \"smtp\"}],"
	" \"fields\": [{\"name\": \"host\", \"label\": \"Host\", \"required\": true, \"member\": \"host\"},"
	"  {\"name\": \"port\", \"label\": \"Port\", \"integer\": true, \"member\": \"port\"},"
	"  {\"name\": \"user\", \"label\": \"User\", \"member\": \"username\"},"
	"  {\"name\": \"password\", \"label\": \"Password\", \"secret\": true, \"member\": \"password\"},"
	"  {\"name\": \"security\", \"label\": \"Security\", \"member\": \"security\"}],"
	" \"verify\": [{\"kind\": \"smtp\", \"account_id\": [\"value:user\"]}]}";

static struct catalog *acme, *mail;

/* --- the provider -------------------------------------------------------------------- */

static struct {
	int calls;
	enum err e; /* instead of an answer */
	enum http_failure failure;
	int status;
	const char *url, *body, *org;
	const char *meanwhile; /* SQL */
	char authorization[64], sent[128];
	char key[64], second[64];
	enum login_end end;
	char host[64], user[64];
	uint16_t port;
	bool starttls;
} provider;

static void copy(char to[64], struct str text) { snprintf(to, 64, "%.*s", STR_ARG(text)); }

enum err __wrap_call_send(struct ctx *cx, const struct call *call, struct buf *body,
			  struct http_answer *ret_answer);
enum err __wrap_login_smtp(const struct login *login, const struct egress_policy *policy,
			   struct login_answer *ret_answer);

enum err __wrap_call_send(struct ctx *cx, const struct call *call, struct buf *body,
			  struct http_answer *ret_answer)
{
	provider.calls++;
	assert_false(db_in_transaction(cx->db));
	assert_str(buf_str(&call->url), provider.url);
	if (provider.meanwhile)
		private_mariadb_run(&server, "latchwork", provider.meanwhile);
	copy(provider.authorization, call_header_value(call, STR("Authorization")));
	snprintf(provider.sent, sizeof provider.sent, "%.*s", STR_ARG(buf_str(&call->body)));
	copy(provider.key, call_header_value(call, STR("X-Key")));
	copy(provider.second, call_header_value(call, STR("X-Second")));
	*ret_answer = (struct http_answer){ .status = provider.status,
					    .failure = provider.failure,
					    .retry_after_s = -1 };
	snprintf(ret_answer->content_type, sizeof ret_answer->content_type, "application/json");
	snprintf(ret_answer->wanted[0], sizeof ret_answer->wanted[0], "%s", provider.org);
	buf_add_c(body, provider.body);
	return provider.e;
}

enum err __wrap_login_smtp(const struct login *login, const struct egress_policy *policy,
			   struct login_answer *ret_answer)
{
	(void)policy;
	provider.calls++;
	copy(provider.host, login->host);
	copy(provider.user, login->user);
	provider.port = login->port;
	provider.starttls = login->starttls;
	*ret_answer = (struct login_answer){ .end = provider.end };
	return OK;
}

/* --- contexts ------------------------------------------------------------------------- */

static struct catalog *load(const char *text)
{
	char why[CATALOG_WHY_MAX];
	struct catalog *made = NULL;

	if (catalog_load_text(STR("test.json"), str_of(text), why, &made) != OK)
		fail_msg("%s", why);
	return made;
}

static int start(void **state)
{
	start_vault(state);
	config.limits_calls_per_tenant = config.limits_calls_per_provider = 9;
	acme = load(ACME);
	mail = load(MAIL);
	return 0;
}

static int stop(void **state)
{
	catalog_free(acme);
	catalog_free(mail);
	return stop_feature(state);
}

static int empty(void **state)
{
	memset(&provider, 0, sizeof provider);
	provider.status = 200;
	provider.url = "https://api.acme.example/me";
	provider.body = "{\"id\": \"acct\\u0007-1\", \"name\": \"Acme Ltd\"}";
	provider.org = "";
	private_mariadb_run(&server, "latchwork",
			    "DELETE FROM connector; DELETE FROM token_refresh;");
	return empty_vault(state);
}

static struct ctx *open_with(const struct catalog *catalog, const struct id *tenant)
{
	static char why[EGRESS_WHY_MAX];
	struct ctx *cx = open_vault("vault", tenant);

	cx->catalog = catalog;
	assert_ok(
		egress_policy_new(&(struct egress_settings){ .ports = "8443" }, why, &cx->egress));
	return cx;
}

static void close_with(struct ctx *cx)
{
	egress_policy_free(cx->egress);
	close_vault(cx);
}

static void add_key(struct ctx *cx, const char *service, const char *data, struct id *ret_id)
{
	const struct vault_new new = { .name = STR("a name"),
				       .type = STR("api_key"),
				       .service = str_of(service),
				       .data = tree(cx, data) };
	struct credential c;

	assert_ok(db_begin(cx->db));
	assert_ok(vault_create(cx, &new, &c));
	assert_ok(db_commit(cx->db));
	*ret_id = c.id;
}

static void add_connector(struct ctx *cx, const char *auth, const struct id *credential,
			  int64_t next_check_at, struct id *ret_id)
{
	struct connector c = { .type = STR("acme"),
			       .display_name = STR("Acme"),
			       .auth = str_of(auth),
			       .status = STR("active"),
			       .next_check_at = { true, next_check_at } };

	if (credential)
		c.credential = (struct opt_id){ true, *credential };
	assert_ok(db_begin(cx->db));
	assert_ok(connector_insert(cx, &c));
	assert_ok(db_commit(cx->db));
	*ret_id = c.id;
}

/* --- answers -------------------------------------------------------------------------- */

static char answered[4096];

/* The time that it took isn't compared. */
static void keep(struct reply *reply)
{
	char *latency;

	snprintf(answered, sizeof answered, "%.*s", STR_ARG(buf_str(&reply->body)));
	latency = strstr(answered, "\"latency_ms\":");
	if (latency)
		memmove(latency, strchr(latency, ',') + 1, strlen(strchr(latency, ',') + 1) + 1);
}

#define ASK(operation, ...)                                                                        \
	__extension__({                                                                            \
		struct reply reply;                                                                \
		reply_init(&reply);                                                                \
		memset(&cx->audit, 0, sizeof cx->audit);                                           \
		problem_clear(&cx->problem);                                                       \
		enum err asked = operation(cx, &(struct operation##_in){ __VA_ARGS__ }, &reply);   \
		keep(&reply);                                                                      \
		reply_done(&reply);                                                                \
		asked;                                                                             \
	})

#define KEY "{\"api_key\":\"canary-0123456789\"}"

static void a_key_that_works_is_noted_with_its_account(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id id, connector;
	struct connector c;

	(void)state;
	add_key(cx, "acme", KEY, &id);
	add_connector(cx, "api_key", &id, 1, &connector);
	provider.org = "Acme \xe2\x82\xac";
	assert_ok(ASK(credential_test, .credential_id = id));
	assert_string_equal(answered,
			    "{\"success\":true,\"error_code\":null,\"message\":\"It works.\","
			    "\"account\":{\"id\":\"acct-1\",\"label\":\"Acme \xe2\x82\xac\"}}");
	assert_string_equal(provider.key, "canary-0123456789");
	assert_int_equal(
		number_of(
			"SELECT status = 'active' AND verify_status = 'passed' FROM credential WHERE "
			"credential_id = ID",
			&id),
		1);
	assert_ok(connector_read(cx, &connector, &c));
	assert_str(c.account_id, "acct-1");
	assert_int_equal(
		number_of(
			"SELECT COUNT(*) FROM audit WHERE action = 'credential.test' AND details LIKE "
			"'%%passed%%' AND target_id = ID",
			&id),
		1);
	close_with(cx);
}

static void what_went_wrong_is_noted_by_its_code(void **state)
{
	static const struct {
		enum err e;
		enum http_failure failure;
		int status;
		const char *body, *code;
	} CASES[] = {
		{ OK, HTTP_ANSWERED, 401, "{}", "INVALID_CREDENTIALS" },
		{ OK, HTTP_ANSWERED, 403, "{}", "INSUFFICIENT_SCOPE" },
		{ OK, HTTP_ANSWERED, 429, "{}", "RATE_LIMITED" },
		{ OK, HTTP_ANSWERED, 500, "canary-0123456789 <b>", "BAD_RESPONSE" },
		{ OK, HTTP_ANSWERED, 302, "", "BAD_RESPONSE" },
		{ OK, HTTP_ANSWERED, 200, "no JSON", "BAD_RESPONSE" },
		{ OK, HTTP_ANSWERED, 200, "null", "BAD_RESPONSE" },
		{ OK, HTTP_ANSWERED, 200, "", "BAD_RESPONSE" },
		{ OK, HTTP_ANSWERED, 200, "{\"id\":null}", "INVALID_CREDENTIALS" },
		{ OK, HTTP_ANSWERED, 200, "{\"id\":false}", "INVALID_CREDENTIALS" },
		{ ERR_UPSTREAM, HTTP_UNREACHABLE, 0, "", "HOST_UNREACHABLE" },
		{ ERR_UPSTREAM, HTTP_NO_TLS, 0, "", "TLS_FAILED" },
		{ ERR_UPSTREAM, HTTP_TOO_LARGE, 0, "", "BAD_RESPONSE" },
		{ ERR_UPSTREAM, HTTP_CUT, 0, "", "BAD_RESPONSE" },
		{ ERR_UPSTREAM_TIMEOUT, HTTP_TIMEOUT, 0, "", "TIMEOUT" },
		{ ERR_HOST_FORBIDDEN, HTTP_FORBIDDEN, 0, "", "HOST_FORBIDDEN" },
	};
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id id;
	char sql[256], code[64];

	(void)state;
	add_key(cx, "acme", KEY, &id);
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		provider.e = CASES[i].e;
		provider.failure = CASES[i].failure;
		provider.status = CASES[i].status;
		provider.body = CASES[i].body;
		assert_ok(ASK(credential_test, .credential_id = id));
		snprintf(code, sizeof code, "\"success\":false,\"error_code\":\"%s\"",
			 CASES[i].code);
		if (!strstr(answered, code) || strstr(answered, "canary") ||
		    strstr(answered, "<b>"))
			fail_msg("%s instead of %s", answered, CASES[i].code);
		snprintf(
			sql, sizeof sql,
			"SELECT verify_status = 'failed' AND verify_error_code = '%s' FROM credential",
			CASES[i].code);
		assert_int_equal(private_mariadb_number(&server, "latchwork", sql), 1);
	}
	close_with(cx);
}

static void our_own_troubles_are_no_outcome(void **state)
{
	static const enum err TROUBLES[] = { ERR_PROVIDER_BUSY, ERR_NO_MEMORY, ERR_CONFIG };
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id id;

	(void)state;
	add_key(cx, "acme", KEY, &id);
	provider.failure = HTTP_OURS;
	for (size_t i = 0; i < ARRAY_SIZE(TROUBLES); i++) {
		provider.e = TROUBLES[i];
		assert_int_equal(ASK(credential_test, .credential_id = id), TROUBLES[i]);
	}
	assert_int_equal(
		number_of(
			"SELECT verify_checked_at IS NULL AND status = 'untested' FROM credential WHERE "
			"credential_id = ID",
			&id),
		1);
	close_with(cx);
}

static void a_strangers_credential_is_not_tried(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id id, connector;

	(void)state;
	add_key(cx, "acme", KEY, &id);
	add_connector(cx, "api_key", &id, 1, &connector);
	close_with(cx);
	cx = open_with(acme, &TENANT_B);
	assert_int_equal(ASK(credential_test, .credential_id = id), ERR_NOT_FOUND);
	assert_int_equal(ASK(connector_test, .connector_id = connector), ERR_NOT_FOUND);
	assert_int_equal(provider.calls, 0);
	close_with(cx);
}

static void what_cannot_be_tried_stays_untested(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id id;

	(void)state;
	add_key(cx, "elsewhere", KEY, &id);
	assert_ok(ASK(credential_test, .credential_id = id));
	assert_non_null(strstr(answered, "\"error_code\":\"UNSUPPORTED\""));
	assert_int_equal(provider.calls, 0);
	assert_int_equal(
		number_of(
			"SELECT verify_status IS NULL AND status = 'untested' FROM credential WHERE credential_id "
			"= ID",
			&id),
		1);
	close_with(cx);
}

static void what_was_changed_during_its_trial_is_untested(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id id, connector;
	struct connector c;

	(void)state;
	add_key(cx, "acme", KEY, &id);
	add_connector(cx, "api_key", &id, 1, &connector);
	provider.meanwhile = "UPDATE credential SET version = version + 1";
	provider.status = 401;
	assert_ok(ASK(credential_test, .credential_id = id));
	assert_non_null(strstr(answered, "\"error_code\":\"INVALID_CREDENTIALS\""));
	run_sql("UPDATE credential SET version = 1 WHERE credential_id = ID", &id);
	assert_ok(ASK(connector_test, .connector_id = connector));
	assert_int_equal(provider.calls, 2);
	assert_int_equal(number_of("SELECT verify_checked_at IS NULL AND status = 'untested' FROM credential "
				   "WHERE credential_id = ID",
				   &id),
			 1);
	assert_ok(connector_read(cx, &connector, &c));
	assert_str(c.status, "active");
	assert_true(str_absent(c.error_code));
	close_with(cx);
}

#define CLIENT "\"client_id\": \"me\", \"client_secret\": \"s3cret\""
#define TOKEN_URL "\"token_url\": \"https://login.else.example/token\""

static void an_oauth_client_without_a_service_is_tried_by_getting_a_token(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);

	(void)state;
	provider.url = "https://login.else.example/token";
	provider.body = "{\"access_token\": \"a-token\", \"token_type\": \"bearer\", \"expires_in\": 60}";
	assert_ok(ASK(credential_test_unsaved, .type = STR("oauth2"),
		      .data = tree(cx, "{" CLIENT ", " TOKEN_URL ", \"scopes\": \"read\"}")));
	assert_non_null(strstr(answered, "\"success\":true"));
	assert_string_equal(provider.authorization, "Basic bWU6czNjcmV0");
	assert_string_equal(provider.sent, "grant_type=client_credentials&scope=read");
	provider.status = 401;
	provider.body = "{\"error\": \"invalid_client\"}";
	assert_ok(ASK(credential_test_unsaved, .type = STR("oauth2"),
		      .data = tree(cx, "{" CLIENT ", " TOKEN_URL "}")));
	assert_non_null(strstr(answered, "\"error_code\":\"INVALID_CREDENTIALS\""));
	assert_int_equal(provider.calls, 2);
	close_with(cx);
}

static void an_oauth_client_that_lacks_a_member_is_told_which(void **state)
{
	static const struct {
		const char *data, *words;
	} CASES[] = {
		{ "{" CLIENT "}", "token_url is missing" },
		{ "{\"client_id\": \"me\", " TOKEN_URL "}", "client_secret is missing" },
		{ "{\"client_secret\": \"s3cret\", " TOKEN_URL "}", "client_id is missing" },
		{ "{" CLIENT ", \"token_url\": \"nowhere\"}", "token_url isn't a URL" },
		{ "{" CLIENT ", " TOKEN_URL ", \"refresh_token\": \"r\"}", "a person's tokens" },
	};
	struct ctx *cx = open_with(acme, &TENANT_A);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		assert_ok(ASK(credential_test_unsaved, .type = STR("oauth2"), .data = tree(cx, CASES[i].data)));
		assert_non_null(strstr(answered, "\"error_code\":\"UNSUPPORTED\""));
		if (!strstr(answered, CASES[i].words))
			fail_msg("%s: %s", CASES[i].data, answered);
	}
	assert_int_equal(provider.calls, 0);
	close_with(cx);
}

static void the_way_is_the_connectors_or_the_one_that_fits(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id one, two, connector;

	(void)state;
	add_key(cx, "acme", KEY, &one);
	add_key(cx, "acme", "{\"api_key\":\"canary-0123456789\",\"api_secret\":\"canary-second\"}",
		&two);
	assert_ok(ASK(credential_test, .credential_id = one));
	assert_string_equal(provider.second, "");
	add_connector(cx, "pair", &two, 1, &connector);
	assert_ok(ASK(connector_test, .connector_id = connector));
	assert_string_equal(provider.second, "canary-second");
	/* A value that its way needs isn't there: nothing is sent. */
	provider.calls = 0;
	add_connector(cx, "pair", &one, 1, &connector);
	assert_ok(ASK(connector_test, .connector_id = connector));
	assert_non_null(strstr(
		answered,
		"\"error_code\":\"INVALID_CREDENTIALS\",\"message\":\"The connection lacks a value: second.\""));
	assert_int_equal(provider.calls, 0);
	close_with(cx);
}

static void a_connector_without_a_credential_says_so(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id connector;

	(void)state;
	add_connector(cx, "api_key", NULL, 1, &connector);
	assert_int_equal(ASK(connector_test, .connector_id = connector), ERR_NOT_CONNECTED);
	close_with(cx);
}

static void what_isnt_stored_leaves_an_audit_row_only(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);

	(void)state;
	assert_ok(ASK(credential_test_unsaved, .type = STR("api_key"), .service = STR("acme"),
		      .data = tree(cx, KEY)));
	assert_non_null(strstr(answered, "\"success\":true"));
	assert_ok(ASK(connector_test_unsaved, .connector_type = STR("acme"),
		      .config = tree(cx, "{\"key\":\"canary-9\"}")));
	assert_string_equal(provider.key, "canary-9");
	assert_ok(ASK(connector_test_unsaved, .connector_type = STR("acme"), .auth = STR("pair"),
		      .config = tree(cx, "{\"key\":\"canary-9\",\"second\":\"canary-8\"}")));
	assert_string_equal(provider.second, "canary-8");
	assert_int_equal(
		private_mariadb_number(&server, "latchwork", "SELECT COUNT(*) FROM credential"), 0);
	assert_int_equal(
		private_mariadb_number(&server, "latchwork", "SELECT COUNT(*) FROM connector"), 0);
	assert_int_equal(private_mariadb_number(
				 &server, "latchwork",
				 "SELECT COUNT(*) FROM audit WHERE action IN ('credential.test', "
				 "'connector.test') AND details LIKE '%passed%'"),
			 3);
	close_with(cx);
}

static void bad_input_is_refused_before_anything_is_sent(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);

	(void)state;
	assert_int_equal(ASK(credential_test_unsaved, .type = STR("api_key"),
			     .service = STR("acme"), .data = tree(cx, "{}")),
			 ERR_BAD_INPUT);
	assert_int_equal(ASK(credential_test_unsaved, .type = STR("api_key"),
			     .service = STR("acme"), .data = tree(cx, "{\"api_key\":1}")),
			 ERR_BAD_INPUT);
	assert_int_equal(ASK(connector_test_unsaved, .connector_type = STR("nobody"),
			     .config = tree(cx, "{}")),
			 ERR_BAD_INPUT);
	assert_int_equal(ASK(connector_test_unsaved, .connector_type = STR("acme"),
			     .config = tree(cx, "{}")),
			 ERR_BAD_INPUT);
	assert_int_equal(ASK(connector_test_unsaved, .connector_type = STR("acme"),
			     .auth = STR("other"), .config = tree(cx, "{\"key\":\"k\"}")),
			 ERR_BAD_INPUT);
	assert_int_equal(provider.calls, 0);
	close_with(cx);
}

static void a_mail_server_is_tried_without_naming_a_service(void **state)
{
	struct ctx *cx = open_with(mail, &TENANT_A);
	struct id id;

	(void)state;
	assert_ok(store(cx, "smtp",
			"{\"host\":\"mail.example.com\",\"port\":587,\"security\":\"starttls\","
			"\"username\":\"u\",\"password\":\"canary-0123456789\"}",
			&id));
	assert_ok(ASK(credential_test, .credential_id = id));
	assert_non_null(strstr(answered, "\"success\":true"));
	assert_string_equal(provider.host, "mail.example.com");
	assert_string_equal(provider.user, "u");
	assert_int_equal(provider.port, 587);
	assert_true(provider.starttls);
	provider.end = LOGIN_REFUSED;
	assert_ok(ASK(credential_test, .credential_id = id));
	assert_non_null(strstr(answered, "INVALID_CREDENTIALS"));
	close_with(cx);
}

/* --- in the background ------------------------------------------------------------------- */

static void those_whose_turn_it_is_are_tried_once_in_every_tenant(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id a, b, due_a, due_b, later, disabled;
	struct connector c;
	int tried;

	(void)state;
	add_key(cx, "acme", KEY, &a);
	add_connector(cx, "api_key", &a, 1, &due_a);
	add_connector(cx, "api_key", NULL, cx->now_ms + 3600000, &later);
	add_connector(cx, "api_key", NULL, 1, &disabled);
	run_sql("UPDATE connector SET status = 'disabled', next_check_at = NULL WHERE connector_id = ID",
		&disabled);
	close_with(cx);
	cx = open_with(acme, &TENANT_B);
	add_key(cx, "acme", KEY, &b);
	add_connector(cx, "api_key", &b, 1, &due_b);
	close_with(cx);
	provider.status = 401;
	cx = open_vault("worker", &ID_NIL);
	cx->catalog = acme;
	assert_ok(trial_due(cx, 10, &tried));
	assert_int_equal(tried, 2);
	assert_int_equal(provider.calls, 2);
	assert_ok(trial_due(cx, 10, &tried));
	assert_int_equal(tried, 0);
	close_vault(cx);
	cx = open_with(acme, &TENANT_B);
	assert_ok(connector_read(cx, &due_b, &c));
	assert_str(c.status, "error");
	assert_str(c.error_code, "INVALID_CREDENTIALS");
	assert_true(c.next_check_at.v > cx->now_ms);
	assert_int_equal(
		number_of(
			"SELECT COUNT(*) FROM audit WHERE action = 'connector.test' AND target_id = ID",
			&due_b),
		1);
	close_with(cx);
}

static enum err act(struct ctx *cx, void *arg)
{
	assert_ptr_not_equal(cx->arena, arg);
	assert_true(cx->who.who == WHO_SYSTEM && id_eq(&cx->who.tenant, &TENANT_B));
	assert_true(str_absent(cx->audit.service));
	cx->audit.service = arena_copy(cx->arena, STR("theirs"));
	cx->problem.detail = arena_copy(cx->arena, STR("words that go with the memory"));
	return ERR_CONFLICT;
}

static void who_acted_as_the_system_is_who_it_was_and_keeps_nothing_of_it(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct arena *memory = cx->arena;

	(void)state;
	cx->audit.service = STR("mine");
	assert_int_equal(ctx_as_system(cx, &TENANT_B, 4096, act, memory), ERR_CONFLICT);
	assert_ptr_equal(cx->arena, memory);
	assert_true(id_eq(&cx->who.tenant, &TENANT_A));
	assert_str(cx->audit.service, "mine");
	assert_true(str_absent(cx->problem.detail));
	close_with(cx);
}

static void one_that_can_not_be_tried_keeps_nobody_back(void **state)
{
	struct ctx *cx = open_with(acme, &TENANT_A);
	struct id id, lone, due;
	int tried;

	(void)state;
	add_connector(cx, "api_key", NULL, 1, &lone);
	add_key(cx, "acme", KEY, &id);
	add_connector(cx, "api_key", &id, 2, &due);
	close_with(cx);
	cx = open_vault("worker", &ID_NIL);
	cx->catalog = acme;
	assert_ok(trial_due(cx, 10, &tried));
	assert_int_equal(tried, 2);
	assert_int_equal(provider.calls, 1);
	assert_int_equal(
		number_of("SELECT next_check_at > 2 FROM connector WHERE connector_id = ID", &lone),
		1);
	close_vault(cx);
}

#define TRIAL_TEST(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRIAL_TEST(a_key_that_works_is_noted_with_its_account),
		TRIAL_TEST(what_went_wrong_is_noted_by_its_code),
		TRIAL_TEST(our_own_troubles_are_no_outcome),
		TRIAL_TEST(a_strangers_credential_is_not_tried),
		TRIAL_TEST(what_cannot_be_tried_stays_untested),
		TRIAL_TEST(what_was_changed_during_its_trial_is_untested),
		TRIAL_TEST(an_oauth_client_without_a_service_is_tried_by_getting_a_token),
		TRIAL_TEST(an_oauth_client_that_lacks_a_member_is_told_which),
		TRIAL_TEST(the_way_is_the_connectors_or_the_one_that_fits),
		TRIAL_TEST(a_connector_without_a_credential_says_so),
		TRIAL_TEST(what_isnt_stored_leaves_an_audit_row_only),
		TRIAL_TEST(bad_input_is_refused_before_anything_is_sent),
		TRIAL_TEST(a_mail_server_is_tried_without_naming_a_service),
		TRIAL_TEST(those_whose_turn_it_is_are_tried_once_in_every_tenant),
		TRIAL_TEST(who_acted_as_the_system_is_who_it_was_and_keeps_nothing_of_it),
		TRIAL_TEST(one_that_can_not_be_tried_keeps_nobody_back),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
