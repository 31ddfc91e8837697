/* The outbound client against a server that means well, and against one that doesn't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/egress.h"
#include "net/http.h"

enum { SKIPPED = 77, BODY_MAX = 1 << 20, PATIENCE_MS = 400 };

/* The server's ports, and a resolver that knows it by public-looking names, too. */
static struct server {
	pid_t pid;
	int input;
	unsigned good, self, other, plain;
	char directory[64], ca_file[80];
} server;

static const char *where = "127.0.0.1";

static enum err lookup(void *arg, const char *host, struct egress_addresses *ret_addresses)
{
	(void)arg;
	(void)host;
	ret_addresses->count = 1;
	assert_true(address_parse(str_of(where), &ret_addresses->v[0]));
	return OK;
}

static struct egress_policy *policy_of(const char *ca_file)
{
	char hosts[400], why[EGRESS_WHY_MAX];
	struct egress_policy *policy;

	snprintf(hosts, sizeof(hosts),
		 "127.0.0.1:%u, localhost:%u, good.example.com:%u, bad.example.com:%u, "
		 "127.0.0.1:%u, 127.0.0.1:%u, 127.0.0.1:%u, 127.0.0.1:1",
		 server.good, server.good, server.good, server.good, server.self, server.other,
		 server.plain);
	if (egress_policy_new(&(struct egress_settings){ .allow_hosts = hosts,
							 .ca_file = ca_file,
							 .timeout_ms = 20000,
							 .resolver = lookup },
			      why, &policy) != OK)
		fail_msg("%s", why);
	return policy;
}

/* One call: what came back, and the body as text. */
struct call {
	struct http_request request;
	struct http_answer answer;
	struct egress_policy *policy;
	struct buf body;
	char url[256];
	char text[8192];
};

static int call_setup(void **state)
{
	struct call *call = calloc(1, sizeof(*call));

	call->policy = policy_of(server.ca_file);
	call->request.method = "GET";
	buf_init(&call->body, BODY_MAX);
	*state = call;
	return 0;
}

static int call_teardown(void **state)
{
	struct call *call = *state;

	egress_policy_free(call->policy);
	buf_done(&call->body);
	free(call);
	return 0;
}

static enum err fetch_from(struct call *call, const char *scheme, const char *host, unsigned port,
			   const char *path)
{
	enum err e;

	snprintf(call->url, sizeof(call->url), "%s://%s:%u%s", scheme, host, port, path);
	call->request.url = str_of(call->url);
	e = http_fetch(&call->request, call->policy, &call->body, &call->answer);
	snprintf(call->text, sizeof(call->text), "%.*s",
		 (int)(call->body.n < 8000 ? call->body.n : 8000), buf_str(&call->body).p);
	if (e != OK) {
		assert_int_equal(call->body.n, 0);
		assert_true(e == ERR_BAD_INPUT || call->answer.why);
	}
	return e;
}

static enum err fetch(struct call *call, const char *path)
{
	return fetch_from(call, "https", "127.0.0.1", server.good, path);
}

static bool server_saw(struct call *call, const char *path)
{
	assert_int_equal(fetch(call, "/seen"), OK);
	return strstr(call->text, path) != NULL;
}

/* --- what works ------------------------------------------------------------- */

static void an_answer_comes_back_whole(void **state)
{
	struct call *call = *state;

	assert_int_equal(fetch(call, "/ok"), OK);
	assert_int_equal(call->answer.status, 200);
	assert_string_equal(call->answer.content_type, "application/json");
	assert_string_equal(call->text, "{\"ok\":true}");
	assert_int_equal(call->answer.retry_after_s, -1);
	assert_int_equal(fetch(call, "/teapot"), OK);
	assert_int_equal(call->answer.status, 418);
	assert_int_equal(call->answer.retry_after_s, 7);
	assert_int_equal(fetch(call, "/empty"), OK);
	assert_int_equal(call->answer.status, 204);
	assert_int_equal(call->body.n, 0);
	assert_int_equal(fetch_from(call, "https", "localhost", server.good, "/ok"), OK);
	assert_int_equal(fetch_from(call, "https", "good.example.com", server.good, "/ok"), OK);
}

static void a_request_is_sent_as_it_was_given(void **state)
{
	struct call *call = *state;
	const struct http_header headers[] = { { "Content-Type", STR("application/json") },
					       { "Authorization", STR("Bearer t") },
					       { "X-Empty", STR("") } };

	call->request = (struct http_request){
		.method = "POST", .header = headers, .headers = 3, .body = STR("{\"a\":1}")
	};
	assert_int_equal(fetch(call, "/echo?a=b%0d%0aX:1&c=../d#e"), OK);
	assert_non_null(strstr(call->text, "\"method\":\"POST\""));
	assert_non_null(strstr(call->text, "\"url\":\"/echo?a=b%0d%0aX:1&c=../d\""));
	assert_non_null(strstr(call->text, "\"Content-Type\",\"application/json\""));
	assert_non_null(strstr(call->text, "\"Authorization\",\"Bearer t\""));
	assert_non_null(strstr(call->text, "\"X-Empty\",\"\""));
	assert_non_null(strstr(call->text, "\"Content-Length\",\"7\""));
	assert_non_null(strstr(call->text, "\"body\":\"{\\\"a\\\":1}\""));
	assert_null(strstr(call->text, "Expect"));
	assert_null(strstr(call->text, "urlencoded"));
}

static void a_request_without_a_body_says_so(void **state)
{
	struct call *call = *state;

	call->request.method = "POST";
	assert_int_equal(fetch(call, "/echo"), OK);
	assert_non_null(strstr(call->text, "\"Content-Length\",\"0\""));
	call->request.method = "DELETE";
	assert_int_equal(fetch(call, "/echo"), OK);
	assert_non_null(strstr(call->text, "\"method\":\"DELETE\""));
	assert_null(strstr(call->text, "Content-Length"));
	call->request.method = "HEAD";
	assert_int_equal(fetch(call, "/ok"), OK);
	assert_int_equal(call->answer.status, 200);
	assert_int_equal(call->body.n, 0);
}

static void plain_http_is_spoken_with_listed_hosts(void **state)
{
	struct call *call = *state;

	assert_int_equal(fetch_from(call, "http", "127.0.0.1", server.plain, "/ok"), OK);
	assert_int_equal(call->answer.status, 200);
}

static void gzip_is_unpacked_only_when_it_was_asked_for(void **state)
{
	struct call *call = *state;

	assert_int_equal(fetch(call, "/gzip"), OK);
	assert_string_equal(call->text, "plain");
	call->request.compressed = true;
	assert_int_equal(fetch(call, "/gzip"), OK);
	assert_string_equal(call->text, "packed");
}

static void asked_for_headers_come_back(void **state)
{
	static const struct str WANTED[] = { STR("x-scopes"), STR("X-Absent"), STR("x-long") };
	struct call *call = *state;

	call->request.wanted = WANTED;
	call->request.wanteds = ARRAY_SIZE(WANTED);
	assert_int_equal(fetch(call, "/told"), OK);
	assert_string_equal(call->answer.wanted[0], "a, b");
	assert_string_equal(call->answer.wanted[1], "");
	assert_string_equal(call->answer.wanted[2], "");
	assert_int_equal(call->answer.failure, HTTP_ANSWERED);
	assert_true(call->answer.sent);
}

static void a_date_to_come_back_at_is_understood(void **state)
{
	struct call *call = *state;

	assert_int_equal(fetch(call, "/later"), OK);
	assert_true(call->answer.retry_after_s > 1800 && call->answer.retry_after_s <= 3600);
	assert_int_equal(fetch(call, "/past"), OK);
	assert_int_equal(call->answer.retry_after_s, 0);
	assert_int_equal(fetch(call, "/soon"), OK);
	assert_int_equal(call->answer.retry_after_s, -1);
}

/* --- what is refused -------------------------------------------------------- */

static void a_redirect_is_an_answer_and_is_not_followed(void **state)
{
	struct call *call = *state;

	assert_int_equal(fetch(call, "/redirect"), OK);
	assert_int_equal(call->answer.status, 302);
	assert_string_equal(call->text, "moved");
	assert_false(server_saw(call, "/landed"));
	assert_int_equal(fetch(call, "/redirect-file"), OK);
	assert_int_equal(call->answer.status, 302);
	assert_int_equal(call->body.n, 0);
}

static void a_certificate_must_be_trusted_and_name_the_host(void **state)
{
	struct call *call = *state;

	assert_int_equal(fetch_from(call, "https", "127.0.0.1", server.self, "/ok"), ERR_UPSTREAM);
	assert_string_equal(call->answer.why, "the certificate isn't trusted");
	assert_int_equal(fetch_from(call, "https", "127.0.0.1", server.other, "/ok"), ERR_UPSTREAM);
	assert_int_equal(fetch_from(call, "https", "bad.example.com", server.good, "/ok"),
			 ERR_UPSTREAM);
	assert_int_equal(fetch_from(call, "https", "127.0.0.1", server.plain, "/ok"), ERR_UPSTREAM);
	egress_policy_free(call->policy);
	call->policy = policy_of(NULL);
	assert_int_equal(fetch(call, "/ok"), ERR_UPSTREAM);
}

static void a_host_that_is_not_listed_is_never_connected_to(void **state)
{
	struct call *call = *state;
	char why[EGRESS_WHY_MAX];

	egress_policy_free(call->policy);
	assert_int_equal(egress_policy_new(&(struct egress_settings){ .resolver = lookup }, why,
					   &call->policy),
			 OK);
	assert_int_equal(fetch_from(call, "https", "127.0.0.1", server.good, "/guarded"),
			 ERR_HOST_FORBIDDEN);
	assert_int_equal(fetch_from(call, "http", "127.0.0.1", server.plain, "/guarded"),
			 ERR_HOST_FORBIDDEN);
	assert_int_equal(fetch_from(call, "https", "leads-inside.example.com", 443, "/guarded"),
			 ERR_HOST_FORBIDDEN);
	egress_policy_free(call->policy);
	call->policy = policy_of(server.ca_file);
	assert_false(server_saw(call, "/guarded"));
}

static void a_request_cannot_be_smuggled_in_a_header(void **state)
{
	static const struct http_header BAD[] = { { "X", STR("a\r\nX-Injected: 1") },
						  { "X", STR("a\nb") },
						  { "X", STR("a\0b") },
						  { "X: 1\r\nY", STR("a") },
						  { "", STR("a") },
						  { "Host", STR("127.0.0.1") },
						  { "content-length", STR("0") },
						  { "Transfer-Encoding", STR("chunked") },
						  { "X Y", STR("a") } };
	struct call *call = *state;

	call->request.headers = 1;
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		call->request.header = &BAD[i];
		assert_int_equal(fetch(call, "/smuggled"), ERR_BAD_INPUT);
	}
	call->request.headers = 0;
	call->request.method = "GET /smuggled HTTP/1.1\r\nX: y\r\n\r\nGET";
	assert_int_equal(fetch(call, "/smuggled"), ERR_BAD_INPUT);
	call->request.method = "GET";
	assert_false(server_saw(call, "/smuggled"));
}

static void an_endless_answer_is_cut_off(void **state)
{
	struct call *call = *state;

	assert_int_equal(fetch(call, "/huge"), ERR_UPSTREAM);
	assert_string_equal(call->answer.why, "the answer is too large");
	assert_int_equal(fetch(call, "/announced"), ERR_UPSTREAM);
	assert_int_equal(fetch(call, "/headers"), ERR_UPSTREAM);
	assert_int_equal(fetch(call, "/interim"), ERR_UPSTREAM);
	call->request.compressed = true;
	assert_int_equal(fetch(call, "/bomb"), ERR_UPSTREAM);
	assert_string_equal(call->answer.why, "the answer is too large");
}

static void a_slow_answer_ends_in_time(void **state)
{
	struct call *call = *state;

	call->request.timeout_ms = PATIENCE_MS;
	assert_int_equal(fetch(call, "/hang"), ERR_UPSTREAM_TIMEOUT);
	assert_int_equal(fetch(call, "/drip"), ERR_UPSTREAM_TIMEOUT);
}

static void a_broken_answer_is_no_answer(void **state)
{
	struct call *call = *state;

	assert_int_equal(fetch(call, "/garbage"), ERR_UPSTREAM);
	assert_int_equal(fetch(call, "/cut"), ERR_UPSTREAM);
	assert_int_equal(fetch_from(call, "https", "127.0.0.1", 1, "/"), ERR_UPSTREAM);
	assert_string_equal(call->answer.why, "no connection");
}

/* What went wrong decides what a person is told, and whether a token may have been used up. */
static void failures_are_told_apart(void **state)
{
	const struct {
		const char *scheme, *host;
		unsigned port;
		const char *path;
		enum http_failure failure;
		bool sent;
	} cases[] = {
		{ "https", "127.0.0.1", 1, "/", HTTP_UNREACHABLE, false },
		{ "https", "127.0.0.1", server.self, "/ok", HTTP_NO_TLS, false },
		{ "https", "127.0.0.1", server.other, "/ok", HTTP_NO_TLS, false },
		{ "https", "127.0.0.1", server.plain, "/ok", HTTP_NO_TLS, false },
		{ "https", "169.254.169.254", 443, "/", HTTP_FORBIDDEN, false },
		{ "ftp", "127.0.0.1", server.good, "/", HTTP_FORBIDDEN, false },
		{ "https", "127.0.0.1", server.good, "/huge", HTTP_TOO_LARGE, true },
		{ "https", "127.0.0.1", server.good, "/headers", HTTP_TOO_LARGE, true },
		{ "https", "127.0.0.1", server.good, "/cut", HTTP_CUT, true },
		{ "https", "127.0.0.1", server.good, "/nothing", HTTP_CUT, true },
		{ "https", "127.0.0.1", server.good, "/garbage", HTTP_UNREADABLE, true },
		{ "https", "127.0.0.1", server.good, "/not-gzip", HTTP_UNREADABLE, true },
		{ "https", "127.0.0.1", server.good, "/hang", HTTP_TIMEOUT, true },
		{ "https", "127.0.0.1", server.good, "/drip", HTTP_TIMEOUT, true },
	};
	struct call *call = *state;

	call->request.compressed = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool slow = cases[i].failure == HTTP_TIMEOUT;

		call->request.timeout_ms = slow ? PATIENCE_MS : 0;
		if (fetch_from(call, cases[i].scheme, cases[i].host, cases[i].port,
			       cases[i].path) == OK ||
		    call->answer.failure != cases[i].failure || call->answer.sent != cases[i].sent)
			fail_msg("%s on %s: failure %d, sent %d (%s)", cases[i].path, cases[i].host,
				 call->answer.failure, call->answer.sent, call->answer.why);
	}
}

static unsigned peer(struct call *call, const char *method)
{
	call->request.method = method;
	assert_int_equal(fetch_from(call, "https", "good.example.com", server.good, "/peer"), OK);
	return (unsigned)strtoul(call->text, NULL, 10);
}

/* What may wear out what it sends is never sent twice, which is what a kept connection can lead to. */
static void only_a_get_takes_a_kept_connection(void **state)
{
	struct call *call = *state;
	unsigned first = peer(call, "GET");

	assert_int_equal(peer(call, "GET"), first);
	assert_int_not_equal(peer(call, "POST"), first);
	assert_int_equal(peer(call, "GET"), first);
	assert_int_not_equal(peer(call, "DELETE"), first);
	egress_policy_free(call->policy);
	call->policy = policy_of(server.ca_file);
	assert_int_not_equal(peer(call, "GET"), first);
}

static void a_kept_connection_is_no_way_round_the_guard(void **state)
{
	struct call *call = *state;

	peer(call, "GET");
	where = "169.254.169.254";
	enum err e = fetch_from(call, "https", "good.example.com", server.good, "/rebound");
	where = "127.0.0.1";
	assert_int_equal(e, ERR_HOST_FORBIDDEN);
	assert_false(server_saw(call, "/rebound"));
}

static void cookies_are_forgotten(void **state)
{
	struct call *call = *state;

	assert_int_equal(fetch(call, "/cookie"), OK);
	assert_int_equal(fetch(call, "/echo"), OK);
	assert_null(strcasestr(call->text, "cookie"));
}

static void a_proxy_of_the_environment_is_not_used(void **state)
{
	struct call *call = *state;

	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	assert_int_equal(fetch(call, "/ok"), OK);
	unsetenv("https_proxy");
	unsetenv("ALL_PROXY");
}

/* --- as it comes --------------------------------------------------------------- */

/* What came, in how many pieces, and what is said to the one that comes after `most`. */
struct heard {
	char text[256];
	size_t n, pieces, most;
	int status;
	char type[HTTP_TYPE_MAX];
	enum err then;
};

static enum err hear(void *arg, const struct http_answer *answer, struct str piece)
{
	struct heard *heard = arg;

	if (heard->then != OK && heard->pieces == heard->most)
		return heard->then;
	heard->pieces++;
	heard->status = answer->status;
	snprintf(heard->type, sizeof heard->type, "%s", answer->content_type);
	if (heard->n + piece.n < sizeof heard->text)
		memcpy(heard->text + heard->n, piece.p, piece.n);
	heard->n += piece.n;
	return OK;
}

static enum err stream(struct call *call, const char *path, size_t max, int idle_ms, struct heard *heard)
{
	const struct http_sink sink = { .take = hear, .arg = heard, .max = max, .idle_ms = idle_ms };

	snprintf(call->url, sizeof(call->url), "https://127.0.0.1:%u%s", server.good, path);
	call->request.url = str_of(call->url);
	return http_stream(&call->request, call->policy, &sink, &call->answer);
}

static void a_streamed_answer_is_handed_over_as_it_comes(void **state)
{
	struct call *call = *state;
	struct heard heard = { 0 }, refused = { 0 }, nothing = { 0 };

	assert_int_equal(stream(call, "/pieces", BODY_MAX, 0, &heard), OK);
	assert_string_equal(heard.text, "one two three");
	assert_int_equal(heard.pieces, 3);
	assert_int_equal(heard.status, 200);
	assert_string_equal(heard.type, "text/event-stream");
	assert_int_equal(stream(call, "/refused", BODY_MAX, 0, &refused), OK);
	assert_int_equal(refused.status, 429);
	assert_string_equal(refused.text, "slow down");
	assert_int_equal(call->answer.retry_after_s, 3);
	assert_int_equal(stream(call, "/empty", BODY_MAX, 0, &nothing), OK);
	assert_int_equal(call->answer.status, 204);
	assert_int_equal(nothing.pieces, 0);
}

/* Whoever shows an answer as it comes has to know whether what came was all of it. */
static void a_stream_that_ends_too_early_is_no_whole_answer(void **state)
{
	struct call *call = *state;
	struct heard cut = { 0 }, chunked = { 0 }, quiet = { 0 }, slow = { 0 };

	assert_int_equal(stream(call, "/cut", BODY_MAX, 0, &cut), ERR_UPSTREAM);
	assert_int_equal(call->answer.failure, HTTP_CUT);
	assert_int_equal(call->answer.status, 200);
	assert_string_equal(cut.text, "half");
	assert_int_equal(stream(call, "/cut-piece", BODY_MAX, 0, &chunked), ERR_UPSTREAM);
	assert_string_equal(chunked.text, "half");
	assert_int_equal(stream(call, "/quiet", BODY_MAX, PATIENCE_MS, &quiet), ERR_UPSTREAM_TIMEOUT);
	assert_string_equal(call->answer.why, "nothing came for too long");
	assert_string_equal(quiet.text, "half");
	call->request.timeout_ms = PATIENCE_MS;
	assert_int_equal(stream(call, "/drip", BODY_MAX, PATIENCE_MS, &slow), ERR_UPSTREAM_TIMEOUT);
	assert_string_equal(call->answer.why, "no answer in time");
}

static void a_stream_has_a_longest_length_and_can_be_left(void **state)
{
	struct call *call = *state;
	struct heard huge = { 0 }, bomb = { 0 }, left = { .most = 1, .then = ERR_NOT_READY };

	assert_int_equal(stream(call, "/huge", BODY_MAX, 0, &huge), ERR_UPSTREAM);
	assert_int_equal(call->answer.failure, HTTP_TOO_LARGE);
	assert_true(huge.n <= BODY_MAX);
	call->request.compressed = true;
	assert_int_equal(stream(call, "/bomb", BODY_MAX, 0, &bomb), ERR_UPSTREAM);
	assert_int_equal(call->answer.failure, HTTP_TOO_LARGE);
	assert_true(bomb.n <= BODY_MAX);
	assert_int_equal(stream(call, "/drip", BODY_MAX, 0, &left), ERR_NOT_READY);
	assert_string_equal(left.text, "x");
}

/* --- the server ------------------------------------------------------------- */

static NORETURN void run_server(int input, int output)
{
	char script[512];
	const char *srcdir = getenv("top_srcdir");

	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	snprintf(script, sizeof(script), "%s/tests/unit/net_server.mjs", srcdir ? srcdir : ".");
	execlp("node", "node", script, server.directory, (char *)NULL);
	_exit(SKIPPED);
}

/* False when there is no Node here. */
static bool start_server(void)
{
	int input[2], output[2];
	FILE *ports;

	strcpy(server.directory, "/tmp/latchwork-net-XXXXXX");
	if (!mkdtemp(server.directory) || pipe(input) != 0 || pipe(output) != 0)
		return false;
	snprintf(server.ca_file, sizeof(server.ca_file), "%s/ca.pem", server.directory);
	server.pid = fork();
	if (server.pid == 0) {
		close(input[1]);
		close(output[0]);
		run_server(input[0], output[1]);
	}
	close(input[0]);
	close(output[1]);
	server.input = input[1];
	ports = fdopen(output[0], "r");
	bool ready = ports && fscanf(ports, "%u %u %u %u", &server.good, &server.self,
				     &server.other, &server.plain) == 4;
	if (ports)
		fclose(ports);
	return ready;
}

static int stop_server(void)
{
	int status = 0;
	char command[128];

	close(server.input);
	waitpid(server.pid, &status, 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", server.directory);
	if (system(command) != 0)
		perror(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, call_setup, call_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_TEST(an_answer_comes_back_whole),
		CALL_TEST(a_request_is_sent_as_it_was_given),
		CALL_TEST(a_request_without_a_body_says_so),
		CALL_TEST(plain_http_is_spoken_with_listed_hosts),
		CALL_TEST(gzip_is_unpacked_only_when_it_was_asked_for),
		CALL_TEST(asked_for_headers_come_back),
		CALL_TEST(a_date_to_come_back_at_is_understood),
		CALL_TEST(a_redirect_is_an_answer_and_is_not_followed),
		CALL_TEST(a_certificate_must_be_trusted_and_name_the_host),
		CALL_TEST(a_host_that_is_not_listed_is_never_connected_to),
		CALL_TEST(a_request_cannot_be_smuggled_in_a_header),
		CALL_TEST(an_endless_answer_is_cut_off),
		CALL_TEST(a_slow_answer_ends_in_time),
		CALL_TEST(a_broken_answer_is_no_answer),
		CALL_TEST(failures_are_told_apart),
		CALL_TEST(only_a_get_takes_a_kept_connection),
		CALL_TEST(a_kept_connection_is_no_way_round_the_guard),
		CALL_TEST(a_streamed_answer_is_handed_over_as_it_comes),
		CALL_TEST(a_stream_that_ends_too_early_is_no_whole_answer),
		CALL_TEST(a_stream_has_a_longest_length_and_can_be_left),
		CALL_TEST(cookies_are_forgotten),
		CALL_TEST(a_proxy_of_the_environment_is_not_used),
	};

	if (!start_server()) {
		fprintf(stderr, "node and openssl are needed for this test\n");
		return stop_server() == SKIPPED ? SKIPPED : EXIT_FAILURE;
	}
	int failures = cmocka_run_group_tests(tests, NULL, NULL);
	stop_server();
	return failures;
}
