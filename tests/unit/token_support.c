/* For pipe2. */
#define _GNU_SOURCE
#include "token_support.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "connect/catalog.h"
#include "net/egress.h"
#include "net/http.h"

enum { SKIPPED = 77, BODY_MAX = 1 << 20, CALL_MS = 2000 };

static struct provider {
	pid_t pid;
	int input;
	unsigned port;
} provider;

unsigned provider_port(void) { return provider.port; }

/* --- the provider ------------------------------------------------------------------ */

static void run_provider(int input, int output)
{
	const char *srcdir = getenv("top_srcdir");
	char script[512];

	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	snprintf(script, sizeof(script), "%s/tests/unit/oauth_provider.mjs", srcdir ? srcdir : ".");
	execlp("node", "node", script, (char *)NULL);
	_exit(SKIPPED);
}

static bool spawn_provider(void)
{
	int input[2], output[2];
	FILE *port;
	bool ready;

	/* The database server that is started later mustn't hold the other end. */
	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	provider.pid = fork();
	if (provider.pid == 0) {
		close(input[1]);
		close(output[0]);
		run_provider(input[0], output[1]);
	}
	close(input[0]);
	close(output[1]);
	provider.input = input[1];
	port = fdopen(output[0], "r");
	ready = port && fscanf(port, "%u", &provider.port) == 1;
	if (port)
		fclose(port);
	return ready;
}

int start_provider(void **state)
{
	if (!spawn_provider()) {
		fprintf(stderr, "node is needed for this test\n");
		exit(SKIPPED);
	}
	if (start_vault(state) != 0)
		return -1;
	config.credentials_versions_kept = 5;
	config.oauth_refresh_ahead_ms = 600000;
	config.limits_calls_per_tenant = 100;
	config.limits_calls_per_provider = 100;
	return 0;
}

int stop_provider(void **state)
{
	close(provider.input);
	waitpid(provider.pid, NULL, 0);
	return stop_feature(state);
}

int empty_tokens(void **state)
{
	private_mariadb_run(&server, "latchwork", "DELETE FROM token_refresh; DELETE FROM connector;"
						  "DELETE FROM service_setting");
	return empty_vault(state);
}

/* --- contexts ---------------------------------------------------------------------- */

static const char ACME[] =
	"{\"id\":\"acme\",\"name\":\"Acme\",\"category\":\"finance\",\"regions\":[\"global\"],"
	"\"docs_url\":\"https://acme.example/docs\",\"summary\":\"A provider for tests.\","
	"\"auth\":[{\"mode\":\"oauth2_authorization_code\",\"label\":\"Sign in\",\"credential\":\"oauth2\","
	"\"headers\":{\"Authorization\":\"Bearer {access_token}\"}},"
	"{\"mode\":\"oauth2_client_credentials\",\"label\":\"Client\",\"credential\":\"oauth2\","
	"\"headers\":{\"Authorization\":\"Bearer {access_token}\"}}],"
	"\"fields\":[{\"name\":\"client_id\",\"label\":\"Client ID\",\"member\":\"client_id\",\"help\":\"It.\","
	"\"where_found\":\"there\"},"
	"{\"name\":\"client_secret\",\"label\":\"Secret\",\"secret\":true,\"member\":\"client_secret\","
	"\"help\":\"It.\",\"where_found\":\"there\"}],"
	"\"hosts\":[\"127.0.0.1:PORT\"],"
	"\"api\":{\"base_url\":\"http://127.0.0.1:PORT\"},"
	"\"oauth2\":{\"authorization_url\":\"http://127.0.0.1:PORT/authorize\",\"token_url\":\"http://127.0.0.1:PORT/token\","
	"\"scopes\":[\"read\"],\"scope_separator\":\" \",\"client_auth\":\"basic\",\"token_format\":\"form\","
	"\"token\":{\"rotates\":true,\"single_use\":true,\"idle_ttl_s\":5184000,\"keep\":[\"team.id\"]},"
	"\"revoke\":{\"method\":\"POST\",\"url\":\"http://127.0.0.1:PORT/revoke\",\"form\":{\"token\":\"{refresh_token}\"}}},"
	"\"client_credentials\":{\"token_url\":\"http://127.0.0.1:PORT/token\",\"scopes\":[\"read\"],"
	"\"client_auth\":\"basic\",\"token_format\":\"form\"},"
	"\"verify\":[{\"kind\":\"none\"}],"
	"\"wizard\":{\"intro\":\"i\",\"auth\":\"a\",\"done\":\"d\"},\"confidence\":{}}";

static struct catalog *open_catalog(void)
{
	char text[8192], why[CATALOG_WHY_MAX], port[8];
	struct catalog *catalog;
	size_t n = 0;

	snprintf(port, sizeof(port), "%u", provider.port);
	for (const char *c = ACME; *c; c++) {
		if (strncmp(c, "PORT", 4) == 0) {
			n += (size_t)sprintf(text + n, "%s", port);
			c += 3;
		} else {
			text[n++] = *c;
		}
	}
	if (catalog_load_text(STR("acme.json"), (struct str){ text, n }, why, &catalog) != OK)
		fail_msg("%s", why);
	return catalog;
}

static struct egress_policy *open_egress(void)
{
	char hosts[64], why[EGRESS_WHY_MAX];
	struct egress_policy *policy;

	snprintf(hosts, sizeof(hosts), "127.0.0.1:%u, 127.0.0.1:1", provider.port);
	if (egress_policy_new(&(struct egress_settings){ .allow_hosts = hosts, .timeout_ms = CALL_MS }, why, &policy))
		fail_msg("%s", why);
	return policy;
}

struct ctx *open_tokens(const char *pool)
{
	struct ctx *cx = open_vault(pool, &TENANT_A);

	cx->catalog = open_catalog();
	cx->egress = open_egress();
	assert_ok(metrics_new(&cx->metrics));
	return cx;
}

void close_tokens(struct ctx *cx)
{
	catalog_free((struct catalog *)(uintptr_t)cx->catalog);
	egress_policy_free(cx->egress);
	close_vault(cx);
}

/* --- asking the provider ------------------------------------------------------------ */

static json_t *fetch(struct ctx *cx, const char *method, const char *url, struct str body)
{
	BUF_AUTO struct buf answer = { 0 };
	struct http_answer http;
	json_t *json;

	buf_init(&answer, BODY_MAX);
	assert_ok(http_fetch(&(struct http_request){ .method = method, .url = str_of(url), .body = body,
						     .timeout_ms = 10000 },
			     cx->egress, &answer, &http));
	assert_int_equal(http.status, 200);
	assert_ok(json_read(cx->arena, buf_str(&answer), &json, NULL));
	return json;
}

json_t *provider_get(struct ctx *cx, const char *format, ...)
{
	char path[2048], url[2200];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", provider.port, path);
	return fetch(cx, "GET", url, STR_NONE);
}

void provider_post_key(struct ctx *cx, const char *pem)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/key", provider.port);
	fetch(cx, "POST", url, str_of(pem));
}

int64_t number_at(const json_t *json, const char *name)
{
	int64_t number;

	assert_true(json_integer_of(json_member(json, name), &number));
	return number;
}

int64_t uncertain_lost(struct ctx *cx)
{
	static const char SERIES[] = "\nlatchwork_token_uncertain_total";
	BUF_AUTO struct buf text = { 0 };
	const char *at;

	buf_init(&text, BODY_MAX);
	metrics_write(cx->metrics, "vault", &text);
	buf_add_char(&text, '\0');
	at = strstr(text.p, SERIES);
	assert_non_null(at);
	return strtoll(strchr(at, ' '), NULL, 10);
}

/* --- connections ---------------------------------------------------------------------- */

static enum err store_as(struct ctx *cx, const char *service, const char *data, struct id *ret_id)
{
	const struct vault_new new = { .name = STR("a connection"),
				       .type = STR("oauth2"),
				       .service = str_of(service),
				       .data = tree(cx, data) };
	struct credential c;
	enum err e;

	TRY(db_begin(cx->db));
	e = vault_create(cx, &new, &c);
	if (e != OK) {
		db_rollback(cx->db);
		return e;
	}
	*ret_id = c.id;
	return db_commit(cx->db);
}

struct connection connect_family(struct ctx *cx, const char *service, const char *query)
{
	json_t *made = provider_get(cx, "/new?%s", query);
	struct connection c;
	char data[2048];

	snprintf(c.family, sizeof(c.family), "%.*s", STR_ARG(json_member_text(made, "family")));
	snprintf(data, sizeof(data),
		 "{\"client_id\":\"the id\",\"client_secret\":\"the secret\",%s"
		 "\"access_token\":\"%.*s\",\"refresh_token\":\"%.*s\",\"expires_at\":\"2020-01-01T00:00:00Z\"}",
		 service ? "" : "\"token_url\":\"http://127.0.0.1:PORT/token\",",
		 STR_ARG(json_member_text(made, "access_token")), STR_ARG(json_member_text(made, "refresh_token")));
	if (!service) {
		char *at = strstr(data, "PORT"), rest[2048], port[8];

		snprintf(port, sizeof(port), "%u", provider.port);
		snprintf(rest, sizeof(rest), "%s", at + 4);
		snprintf(at, sizeof(data) - (size_t)(at - data), "%s%s", port, rest);
	}
	assert_ok(store_as(cx, service, data, &c.credential));
	return c;
}

int64_t counted(struct ctx *cx, const struct connection *c, const char *name)
{
	return number_at(provider_get(cx, "/count?family=%s", c->family), name);
}

void provider_fails(struct ctx *cx, const struct connection *c, const char *how)
{
	provider_get(cx, "/set?family=%s&fail=%s", c->family, how);
}

enum err ask(struct ctx *cx, const struct connection *c)
{
	SECRET_AUTO struct secret text = SECRET_EMPTY;
	struct token token;
	enum err e;

	cx->now_ms = clock_now_ms();
	ctx_enter(cx);
	problem_clear(&cx->problem);
	cx->audit = (struct audit_note){ 0 };
	e = token_give(cx, &c->credential, &token);
	text = token.text;
	if (e == OK && number_at(provider_get(cx, "/good?family=%s&token=%.*s", c->family, STR_ARG(secret_str(&text))),
				 "good") != 1)
		return ERR_INTERNAL;
	return e;
}

struct token_source stored(struct ctx *cx, const struct connection *c)
{
	struct token_source source;

	assert_ok(token_source_open(cx, &c->credential, &source));
	return source;
}

void edit(struct ctx *cx, const struct connection *c, const char *data)
{
	cx->now_ms = clock_now_ms();
	assert_ok(change(cx, &c->credential, data));
}

void expire(struct ctx *cx, const struct connection *c)
{
	edit(cx, c, "{\"expires_at\":\"2020-01-01T00:00:00Z\"}");
}

/* --- processes ------------------------------------------------------------------------- */

pid_t in_process(const char *crash_at, const char *fault, enum err (*fn)(struct ctx *cx, const struct connection *arg),
		 const struct connection *arg)
{
	return in_process_as("vault", crash_at, fault, fn, arg);
}

pid_t in_process_as(const char *pool, const char *crash_at, const char *fault,
		    enum err (*fn)(struct ctx *cx, const struct connection *arg), const struct connection *arg)
{
	pid_t pid = fork();
	struct ctx *cx;

	if (pid != 0)
		return pid;
	if (crash_at)
		setenv("LATCHWORK_CRASH_AT", crash_at, 1);
	if (fault)
		setenv("LATCHWORK_DB_FAULT", fault, 1);
	cx = open_tokens(pool);
	enum err e = fn(cx, arg);
	if (e != OK)
		fprintf(stderr, "%d: %s %.*s\n", (int)getpid(), err_code(e), STR_ARG(cx->problem.detail));
	_exit((int)e);
}

int ended(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
