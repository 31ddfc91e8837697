/* Plain paths, followed without jq: the same as jq would say, but for the digits that it loses. */
#include "flow_support.h"

#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "expr/program.h"
#include "flow/engine.h"

#define INPUT                                                                                                   \
	"{\"id\":7,\"name\":\"Ada \\\"L\\\" \\u00e9\\ud83d\\ude00\",\"yes\":true,\"no\":false,\"none\":null,\"list\":[1,[2,3],{\"a\":\"x\"}]," \
	"\"in\":{\"a-b\":{\"c\":[]},\"z\":1,\"a\":2,\"\":3},\"real\":1.5,\"deep\":{\"real\":[0.1]},\"and\":4,\"_x9\":5}"

static struct execution x;
static struct buf out, wanted, scope;
static struct scope_item item;

static void begin(const char *type, const char *config)
{
	const struct id id = { { 9 } };
	char text[8192];

	snprintf(text, sizeof(text),
		 "{'steps': [{'id': 'a-1', 'type': 'speak', 'config': {'text': 'said'}}, {'id': 'later', 'type': 'speak', 'config': {'text': 't'}}, "
		 "{'id': 'bad', 'type': 'http', 'on_error': 'continue', 'config': {'url': 'https://x.example'}}, "
		 "{'id': 's', 'type': '%s', 'config': %s}]}",
		 type, config);
	assert_sound(text);
	assert_int_equal(execution_clear(&x, &id), OK);
	x.flow = flow_is;
	x.only = flow_is->n;
	x.input = STR(INPUT);
	x.request = STR("{\"query\":{\"q\":\"1\"}}");
	x.step = arena_array(x.arena, flow_is->n, sizeof(*x.step));
	x.each = arena_array(x.arena, flow_is->n, sizeof(*x.each));
	assert_non_null(x.step);
	x.step[flow_find(flow_is, STR("a-1"))] = (struct step_state){ .status = STEP_COMPLETED, .output = STR("{\"text\":[\"said\"]}") };
	x.step[flow_find(flow_is, STR("bad"))] =
		(struct step_state){ .status = STEP_FAILED, .error_code = STR("BAD"), .error_message = STR("It's \"bad\"") };
	buf_clear(&out);
}

static enum err follow(void) { return plain_config(&x, step_of("s"), &item, 65536, &out); }

/* By jq, of the scope as scope.c writes it. */
static enum expr_why ask_jq(void)
{
	static const char SCOPE[] = "{\"item\":[10,20],\"index\":3,\"input\":" INPUT ",\"request\":{\"query\":{\"q\":\"1\"}},"
				    "\"steps\":{\"a-1\":{\"text\":[\"said\"]},\"bad\":{\"error\":{\"code\":\"BAD\",\"message\":\"It's \\\"bad\\\"\"}}}}";
	struct expr_failure failure;
	struct program *program = NULL;
	struct json_writer w;
	enum expr_why why = program_compile(step_of("s")->program, &program, &failure);

	buf_clear(&wanted);
	buf_clear(&scope);
	buf_add(&scope, SCOPE, sizeof(SCOPE) - 2);
	buf_add_c(&scope, ",\"execution\":");
	jw_start(&w, &scope);
	scope_execution(&x, &w);
	buf_add_char(&scope, '}');
	if (why == EXPR_OK)
		why = program_run(program, buf_str(&scope), &wanted, &failure);
	program_free(program);
	return why;
}

static void is_as_jq(const char *type, const char *config)
{
	begin(type, config);
	if (!step_of("s")->plain)
		fail_msg("%s isn't taken for plain", config);
	assert_int_equal(follow(), OK);
	assert_int_equal(ask_jq(), EXPR_OK);
	if (!str_eq(buf_str(&out), buf_str(&wanted)))
		fail_msg("%s: %.*s instead of %.*s", config, STR_ARG(buf_str(&out)), STR_ARG(buf_str(&wanted)));
}

static void is_left_to_jq(const char *type, const char *config)
{
	begin(type, config);
	if (!step_of("s")->plain)
		fail_msg("%s isn't taken for plain", config);
	assert_int_equal(follow(), ERR_END);
	assert_int_equal(out.n, 0);
}

static void a_path_yields_what_jq_says(void **state)
{
	static const char *const PATHS[] = {
		".input.id", ".input.name", ".input.yes", ".input.no", ".input.none", ".input.none.more[3].still", ".input.gone", ".input.list",
		".input.list[0]", ".input.list[1][-1]", ".input.list[-1].a", ".input.list[3]", ".input.list[-4]", ".input.list[999999999]",
		".input.in", ".input.in[\\u0022a-b\\u0022]", ".input[\\u0022in\\u0022][\\u0022a-b\\u0022].c", ".input.and", ".input._x9", " .input.id ",
		".[\\u0022input\\u0022].id", ".request", ".request.query.q", ".item", ".item[1]", ".steps[\\u0022a-1\\u0022].text[0]",
		".steps[\\u0022a-1\\u0022]", ".steps.bad.error.message", ".steps.later", ".steps.later.text", ".steps.nobody.text[0]",
		".execution", ".execution.id", ".execution.workflow_id", ".execution.gone",
	};
	char config[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++) {
		snprintf(config, sizeof(config), "{'expression': '%s'}", PATHS[i]);
		is_as_jq("transform", config);
		snprintf(config, sizeof(config), "{'body': {'k': ['{{ %s }}', -1, true, null, 't\\u0022']}}", PATHS[i]);
		is_as_jq("respond", config);
	}
}

static void a_text_with_paths_in_it_becomes_what_jq_makes_of_it(void **state)
{
	(void)state;
	is_as_jq("speak", "{'text': 'a\\\\(.input) {{ .input.name }} and {{.input.id}}{{.input.yes}} {{ .input.none }}\\n{{ .input.gone.more }}'}");
	is_as_jq("http", "{'url': 'https://x.example/{{ .input.id }}', 'method': 'POST', 'headers': {'X-A': '{{ .item[0] }}'}, 'body': {'{{ .a }}': '{{ .input.in }}'}}");
}

static void whole_numbers_keep_their_digits(void **state)
{
	(void)state;
	begin("respond", "{'body': {'id': '{{ .input.big }}', 'text': 'no. {{ .input.big }}', 'all': '{{ .input }}', 'own': 9007199254740993}}");
	x.input = STR("{\"big\":9223372036854775807,\"small\":-9007199254740993}");
	assert_int_equal(follow(), OK);
	assert_true(str_eq(buf_str(&out),
			   STR("{\"body\":{\"id\":9223372036854775807,\"text\":\"no. 9223372036854775807\","
			       "\"all\":{\"big\":9223372036854775807,\"small\":-9007199254740993},\"own\":9007199254740993}}")));
}

/* A string of 300 KiB: one fits, two are too much. */
static struct str long_text(void)
{
	static char text[300 << 10];

	memset(text, 'x', sizeof(text));
	text[0] = text[sizeof(text) - 1] = '"';
	return (struct str){ text, sizeof(text) };
}

static void what_jq_may_see_otherwise_is_left_to_it(void **state)
{
	(void)state;
	is_left_to_jq("transform", "{'expression': '.input.name.first'}");
	is_left_to_jq("transform", "{'expression': '.input.list.first'}");
	is_left_to_jq("transform", "{'expression': '.input[0]'}");
	is_left_to_jq("transform", "{'expression': '.input.id[0]'}");
	is_left_to_jq("transform", "{'expression': '.input.real'}");
	is_left_to_jq("transform", "{'expression': '.input.deep'}");
	is_left_to_jq("transform", "{'expression': '.steps'}");
	is_left_to_jq("speak", "{'text': 'all: {{ .input.list }}'}");
	is_left_to_jq("respond", "{'body': ['{{ .input.id }}', 2.5]}");
	begin("respond", "{'body': ['{{ .input }}', '{{ .steps[\\u0022a-1\\u0022] }}']}");
	x.input = x.step[flow_find(flow_is, STR("a-1"))].output = long_text();
	assert_int_equal(follow(), ERR_END);
	begin("transform", "{'expression': '.input.list'}");
	assert_int_equal(plain_config(&x, step_of("s"), NULL, 20, &out), ERR_END);
	assert_int_equal(out.n, 0);
}

static void other_code_is_no_path(void **state)
{
	static const char *const CODES[] = { ".", ".[0]", ".[]", ".input.list[]", ".input?", ".input.a?", ".input | .a", ".input.a.b + 1", "1", ".input .a",
					     ".input.list[0:2]", ".input.list[1.0]", ".input.list[.input.id]", ".input.in[\\u0022a\\u0022,\\u0022z\\u0022]",
					     ".input.in[\\u0022\\\\\\\\(1)\\u0022]", ".input # so", "(.input)", "..", "$ENV", "input", ".input.in.a, .input.id" };
	char config[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
		snprintf(config, sizeof(config), "{'expression': '%s'}", CODES[i]);
		begin("transform", config);
		if (step_of("s")->plain)
			fail_msg("%s is taken for a path", CODES[i]);
	}
	begin("respond", "{'body': ['{{ .input.id }}', {'a': 'x {{ .input.id + 1 }}'}]}");
	assert_false(step_of("s")->plain);
	begin("logic", "{'cases': [{'when': '.input.yes', 'branch': 'b'}]}");
	assert_false(step_of("s")->plain);
}

static int setup(void **state)
{
	json_t *list = json_pack("[i,i]", 10, 20);

	buf_init(&out, 65536);
	buf_init(&wanted, 65536);
	buf_init(&scope, 65536);
	item = (struct scope_item){ list, 3 };
	return list ? flow_setup(state) : -1;
}

static int teardown(void **state)
{
	json_decref((json_t *)(uintptr_t)item.value);
	execution_done(&x);
	buf_done(&out);
	buf_done(&wanted);
	buf_done(&scope);
	return flow_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_yields_what_jq_says),
		cmocka_unit_test(a_text_with_paths_in_it_becomes_what_jq_makes_of_it),
		cmocka_unit_test(whole_numbers_keep_their_digits),
		cmocka_unit_test(what_jq_may_see_otherwise_is_left_to_it),
		cmocka_unit_test(other_code_is_no_path),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
