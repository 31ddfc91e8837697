/* Models asked over the wire: the stand-in of the end-to-end tests answers, well and badly, in all three formats. */
#include "ai_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ai/ask.h"
#include "base/json_read.h"
#include "connect/catalog.h"
#include "core/config.h"
#include "net/egress.h"

enum { SKIPPED = 77, PATIENCE_MS = 120000, SHORT_MS = 1000, FILE_MAX = 64 << 10, KEY_MAX = 128 };

static struct server {
	pid_t pid;
	int input;
	unsigned port;
	char url[3][80];
} server;

static char keys[3][KEY_MAX];
static struct config config;
static char gemini[] = "gemini", closed[] = "http://127.0.0.1:1/v1", unlisted[] = "http://127.0.0.1:2/v1";
static struct ctx cx;
static struct catalog *catalogs[3];
static struct model_answer answer;
static char heard[8192];
static size_t heard_n;

/* --- the context ---------------------------------------------------------------------------------------- */

static struct catalog *load_type(const char *name)
{
	static char text[FILE_MAX];
	char path[400], why[CATALOG_WHY_MAX];
	struct catalog *catalog = NULL;
	const char *top = getenv("top_srcdir");
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "%s/conf/connectors/%s.json", top ? top : ".", name);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(text, 1, sizeof text, file);
	fclose(file);
	if (catalog_load_text(STR("type.json"), (struct str){ text, n }, why, &catalog) != OK)
		fail_msg("%s", why);
	return catalog;
}

static int set_up(void **state)
{
	static const char *const NAMES[] = { "gemini", "openai", "anthropic" };
	struct egress_policy *policy;
	char hosts[64], why[EGRESS_WHY_MAX];

	ai_set_up(state);
	config = (struct config){ .ai_provider = gemini,
				  .ai_gemini_url = server.url[MODEL_GEMINI],
				  .ai_openai_url = server.url[MODEL_OPENAI],
				  .ai_anthropic_url = server.url[MODEL_ANTHROPIC],
				  .ai_timeout_ms = PATIENCE_MS,
				  .ai_idle_ms = PATIENCE_MS,
				  .limits_calls_per_tenant = 3,
				  .limits_calls_per_provider = 3 };
	snprintf(hosts, sizeof hosts, "127.0.0.1:%u, 127.0.0.1:1", server.port);
	assert_int_equal(egress_policy_new(&(struct egress_settings){ .allow_hosts = hosts }, why, &policy), OK);
	cx = (struct ctx){ .arena = arena, .config = &config, .egress = policy };
	for (size_t i = 0; i < 3; i++)
		catalogs[i] = load_type(NAMES[i]);
	return 0;
}

static int tear_down(void **state)
{
	egress_policy_free(cx.egress);
	for (size_t i = 0; i < 3; i++)
		catalog_free(catalogs[i]);
	return ai_tear_down(state);
}

static enum err hear(void *arg, struct str text)
{
	(void)arg;
	/* Of one that never ends the beginning is enough. */
	if (heard_n + text.n < sizeof heard)
		memcpy(heard + heard_n, text.p, text.n);
	heard_n += text.n;
	return OK;
}

static enum err ask_with(enum model_wire wire, const char *key, const char *model, bool stream)
{
	const struct model_turn turn = { .who = MODEL_USER, .text = STR("Grüß {api_key} {ai_url} 🚀") };
	const struct model_tool tool = { .name = STR("find"), .description = STR("Finds.") };
	const struct model_choice choice = { .wire = wire, .provider = model_provider(wire),
					     .model = model ? str_of(model) : STR("echo") };
	const struct model_request request = { .turn = &turn, .turns = 1,
					       .tool = &tool, .tools = model && strncmp(model, "tools", 5) == 0 };
	VALUES_AUTO struct values values;

	values_init(&values);
	assert_int_equal(values_set(&values, STR("api_key"), str_of(key)), OK);
	assert_int_equal(values_set(&values, STR("base_url"), STR("https://api.openai.com/v1")), OK);
	memset(heard, 0, sizeof heard);
	heard_n = 0;
	cx.problem.retry_after_s = 0;
	const struct model_asking asking = { .choice = &choice, .request = &request, .listen = stream ? hear : NULL };

	return model_send(&cx, &asking, catalog_at(catalogs[wire], 0), &values, &answer);
}

static enum err ask(enum model_wire wire, const char *model, bool stream)
{
	return ask_with(wire, keys[wire], model, stream);
}

#define EACH_WAY(wire, stream)                                                                     \
	for (int wire = MODEL_GEMINI; wire <= MODEL_ANTHROPIC; wire++)                             \
		for (int stream = 0; stream < 2; stream++)

static void assert_asked(enum model_wire wire, const char *model, bool stream, enum err want)
{
	enum err e = ask(wire, model, stream);

	if (e != want)
		fail_msg("%s of %.*s, %s: %s instead of %s", model, STR_ARG(model_provider(wire)),
			 stream ? "streamed" : "whole", err_code(e), err_code(want));
	if (stream && e == OK && heard_n < sizeof heard)
		assert_text(answer.text, heard);
}

/* --- answers ------------------------------------------------------------------------------------------------ */

static void a_question_is_answered(void **state)
{
	(void)state;
	EACH_WAY(wire, stream) {
		assert_asked((enum model_wire)wire, NULL, stream, OK);
		/* The prompt is no template: what looks like one in it stays. */
		assert_text(answer.text, "You said: Grüß {api_key} {ai_url} 🚀");
		assert_true(answer.whole);
		assert_int_equal(answer.tokens_in.v, 11);
		assert_int_equal(answer.tokens_out.v, 22);
		assert_text(answer.model, "echo");
	}
}

static void characters_may_come_a_byte_at_a_time(void **state)
{
	(void)state;
	EACH_WAY(wire, stream) {
		assert_asked((enum model_wire)wire, "poem", stream, OK);
		assert_text(answer.text, "Grüße aus Göteborg: 🚀 räksmörgås — 日本語, 𝒽ℯ𝓁𝓁ℴ.");
	}
}

static void tools_are_called(void **state)
{
	(void)state;
	EACH_WAY(wire, stream) {
		assert_asked((enum model_wire)wire, "tools", stream, OK);
		assert_int_equal(answer.finish, MODEL_TOOLS);
		assert_int_equal(answer.calls, 1);
		assert_text(answer.call[0].name, "find");
		assert_text(answer.call[0].arguments, "{\"question\":\"Grüß {api_key} {ai_url} 🚀\",\"ü\":[1,null]}");
	}
}

static void an_end_has_its_reason(void **state)
{
	(void)state;
	EACH_WAY(wire, stream) {
		assert_asked((enum model_wire)wire, "length", stream, OK);
		assert_int_equal(answer.finish, MODEL_LENGTH);
		assert_asked((enum model_wire)wire, "half-blocked", stream, OK);
		assert_int_equal(answer.finish, MODEL_SAFETY);
		assert_text(answer.text, "Take two");
		assert_asked((enum model_wire)wire, "blocked", stream, ERR_AI_BLOCKED);
	}
}

/* --- refusals and accidents ------------------------------------------------------------------------------------ */

static void a_bad_key_is_said_to_be_one_and_not_repeated(void **state)
{
	(void)state;
	EACH_WAY(wire, stream) {
		assert_int_equal(ask_with((enum model_wire)wire, "a-key-that-is-wrong", "echo", stream), ERR_AI_KEY_REFUSED);
		assert_int_equal(answer.text.n, 0);
		assert_null(cx.problem.detail.p);
	}
}

static void refusals_have_their_codes(void **state)
{
	(void)state;
	EACH_WAY(wire, stream) {
		assert_asked((enum model_wire)wire, "quota", stream, ERR_AI_QUOTA);
		assert_int_equal(cx.problem.retry_after_s, 7);
		assert_asked((enum model_wire)wire, "overloaded", stream, ERR_AI_UNAVAILABLE);
		assert_asked((enum model_wire)wire, "too-long", stream, ERR_AI_TOO_LONG);
		assert_asked((enum model_wire)wire, "absent", stream, ERR_AI_MODEL_UNKNOWN);
		assert_asked((enum model_wire)wire, "no such name", stream, ERR_AI_MODEL_UNKNOWN);
	}
}

static void half_an_answer_is_kept_and_called_half(void **state)
{
	(void)state;
	EACH_WAY(wire, stream) {
		assert_asked((enum model_wire)wire, "cut", stream, ERR_AI_CUT);
		assert_text(answer.text, stream ? "This is half" : "");
		assert_false(answer.whole);
	}
	for (int wire = MODEL_GEMINI; wire <= MODEL_ANTHROPIC; wire++) {
		assert_asked((enum model_wire)wire, "broken", true, ERR_AI_UNAVAILABLE);
		assert_text(answer.text, "This is half");
		assert_asked((enum model_wire)wire, "broken-bare", true, ERR_AI_UNAVAILABLE);
		assert_asked((enum model_wire)wire, "garbage", true, ERR_AI_ANSWER_UNREADABLE);
		assert_text(answer.text, "This is ");
		assert_string_equal(heard, "This is ");
	}
}

static void an_answer_without_end_is_left(void **state)
{
	(void)state;
	assert_asked(MODEL_OPENAI, "endless", true, ERR_AI_ANSWER_UNREADABLE);
	assert_true(answer.text.n <= MODEL_TEXT_MAX);
}

static void silence_ends_in_time(void **state)
{
	(void)state;
	config.ai_timeout_ms = SHORT_MS;
	assert_asked(MODEL_GEMINI, "silent", false, ERR_AI_TIMEOUT);
	assert_asked(MODEL_ANTHROPIC, "silent", true, ERR_AI_TIMEOUT);
	config.ai_timeout_ms = PATIENCE_MS;
	config.ai_idle_ms = SHORT_MS;
	assert_asked(MODEL_GEMINI, "silent", true, ERR_AI_TIMEOUT);
	config.ai_gemini_url = closed;
	assert_asked(MODEL_GEMINI, "echo", true, ERR_AI_UNAVAILABLE);
	config.ai_gemini_url = unlisted;
	assert_asked(MODEL_GEMINI, "echo", false, ERR_HOST_FORBIDDEN);
}

/* Whoever serves the model knows the key. */
static void a_key_that_is_said_back_is_blotted_out(void **state)
{
	(void)state;
	EACH_WAY(wire, stream) {
		assert_asked((enum model_wire)wire, "leak", stream, OK);
		assert_text(answer.text, "The key is ****.");
	}
}

/* --- the server -------------------------------------------------------------------------------------------------- */

static NORETURN void run_server(int input, int output)
{
	char script[512];
	const char *top = getenv("top_srcdir");

	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	snprintf(script, sizeof script, "%s/tests/e2e/lib/model_server.mjs", top ? top : ".");
	execlp("node", "node", script, (char *)NULL);
	_exit(SKIPPED);
}

/* False when there is no Node here. */
static bool start_server(void)
{
	int input[2], output[2];
	FILE *port;

	if (pipe(input) != 0 || pipe(output) != 0)
		return false;
	server.pid = fork();
	if (server.pid == 0) {
		close(input[1]);
		close(output[0]);
		run_server(input[0], output[1]);
	}
	close(input[0]);
	close(output[1]);
	server.input = input[1];
	port = fdopen(output[0], "r");
	bool ready = port && fscanf(port, "%u", &server.port) == 1;
	if (port)
		fclose(port);
	for (int i = MODEL_GEMINI; i <= MODEL_ANTHROPIC; i++)
		snprintf(server.url[i], sizeof server.url[i], "http://127.0.0.1:%u/v1%s", server.port,
			 i == MODEL_GEMINI ? "beta" : "");
	return ready;
}

static int stop_server(void)
{
	int status = 0;

	close(server.input);
	waitpid(server.pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Those of the server: a prefix, then one letter again and again. */
static void make_keys(void)
{
	static const struct {
		const char *prefix, *suffix;
		char letter;
		int times;
	} KEYS[] = { { "AIzaSy", "", 'A', 33 }, { "sk-", "", 'b', 30 }, { "sk-ant-api03-", "AA", 'c', 93 } };

	for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
		char letters[KEY_MAX] = { 0 };

		memset(letters, KEYS[i].letter, (size_t)KEYS[i].times);
		snprintf(keys[i], sizeof keys[i], "%s%.100s%s", KEYS[i].prefix, letters, KEYS[i].suffix);
	}
}

#define ASK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASK_TEST(a_question_is_answered),
		ASK_TEST(characters_may_come_a_byte_at_a_time),
		ASK_TEST(tools_are_called),
		ASK_TEST(an_end_has_its_reason),
		ASK_TEST(a_bad_key_is_said_to_be_one_and_not_repeated),
		ASK_TEST(refusals_have_their_codes),
		ASK_TEST(half_an_answer_is_kept_and_called_half),
		ASK_TEST(an_answer_without_end_is_left),
		ASK_TEST(silence_ends_in_time),
		ASK_TEST(a_key_that_is_said_back_is_blotted_out),
	};

	make_keys();
	if (!start_server()) {
		fprintf(stderr, "node is needed for this test\n");
		return stop_server() == SKIPPED ? SKIPPED : EXIT_FAILURE;
	}
	int failures = cmocka_run_group_tests(tests, NULL, NULL);
	stop_server();
	return failures;
}
