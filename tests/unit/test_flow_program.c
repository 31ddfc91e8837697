/* Configs as one jq program: what a person wrote between braces is code, all else stays a text whatever it holds. */
#include "flow_support.h"

#include <stdio.h>
#include <string.h>

#include "flow/scan.h"

#define PRELUDE                                                                                             \
	"def _one(f): [limit(2; f)] | if length > 1 then error(\"the expression yields more than one value\") " \
	"else .[0] end; "

static void assert_program(const char *type, const char *config, const char *want)
{
	char text[4096];
	struct str program;

	snprintf(text, sizeof text, "{'steps': [{'id': 'a', 'type': '%s', 'config': %s}]}", type, config);
	assert_sound(text);
	program = step_of("a")->program;
	if (!want) {
		assert_true(str_absent(program));
		return;
	}
	assert_true(str_starts(program, str_of(PRELUDE)));
	program = str_slice(program, strlen(PRELUDE), program.n);
	if (!str_eq(program, str_of(want)))
		fail_msg("%.*s\ninstead of\n%s", STR_ARG(program), want);
}

static void test_templates(void **state)
{
	(void)state;
	assert_program("http", "{'url': 'https://x/{{ .input.id }}'}", "{\"url\":\"https://x/\\(_one(.input.id\n))\"}");
	assert_program("http", "{'url': '{{ .input.url }}'}", "{\"url\":_one(.input.url\n)}");
	assert_program("http", "{'url': ' {{ .input.url }} '}", "{\"url\":_one(.input.url\n)}");
	assert_program("http", "{'url': '{{.a}}{{.b}}c'}", "{\"url\":\"\\(_one(.a\n))\\(_one(.b\n))c\"}");
	assert_program("http", "{'url': 'https://x', 'method': 'GET'}", NULL);
}

static void test_literals_stay_literals(void **state)
{
	(void)state;
	assert_program("speak", "{'text': 'a\\\\(.input) {{ 1 }} \\u0022 \\n \\u0001'}",
		       "{\"text\":\"a\\\\(.input) \\(_one(1\n)) \\\" \\n \\u0001\"}");
	assert_program("speak", "{'text': 'a }} b {{ 1 }} }}'}", "{\"text\":\"a }} b \\(_one(1\n)) }}\"}");
	/* A member's name is a literal, too. */
	assert_program("respond", "{'body': {'\\\\(1)': '{{ 2 }}'}}", "{\"body\":{\"\\\\(1)\":_one(2\n)}}");
}

static void test_values(void **state)
{
	(void)state;
	assert_program("respond",
		       "{'body': {'a': ['{{ .x }}', -1, 2.5, true, null, 't'], 'b': {}, 'c': []}}",
		       "{\"body\":{\"a\":[_one(.x\n),(-1),(2.5),(true),(null),\"t\"],\"b\":{},\"c\":[]}}");
	assert_program("respond", "{'body': {'a': [1, 'x']}}", NULL);
	assert_program("http", "{'url': 'u', 'headers': {'X-A': '{{ .a }}', 'X-N': 5}, 'fail_on_status': false}",
		       "{\"url\":\"u\",\"headers\":{\"X-A\":_one(.a\n),\"X-N\":(5)},\"fail_on_status\":false}");
	/* A plain text isn't looked into. */
	assert_program("database", "{'credential_id': null, 'query': 'SELECT {{ 1 }}', 'parameters': ['{{ .a }}']}",
		       "{\"credential_id\":null,\"query\":\"SELECT {{ 1 }}\",\"parameters\":[_one(.a\n)]}");
}

static void test_expressions(void **state)
{
	(void)state;
	assert_program("transform", "{'expression': '{a: .input.a} # so'}",
		       "{\"expression\":_one({a: .input.a} # so\n)}");
	assert_program("for_each", "{'items': '.input', 'step': {'type': 'speak', 'config': {'text': '{{ .item }}'}}, 'concurrency': 2}",
		       "{\"items\":_one(.input\n),\"concurrency\":2}");
	assert_program("logic",
		       "{'cases': [{'when': '.a', 'branch': 'x\\u0022'}, {'when': '.b', 'branch': 'y'}], 'otherwise': 'z'}",
		       "{\"cases\":(if _one(.a\n) then \"x\\\"\" elif _one(.b\n) then \"y\" else null end),\"otherwise\":\"z\"}");
}

/* --- scanning ----------------------------------------------------------------------------------------- */

static void assert_code(const char *text, const char *want)
{
	struct str rest = str_of(text);
	struct text_piece piece;
	const char *why;

	assert_true(text_next(&rest, &piece, &why));
	if (!str_eq(piece.code, str_of(want)))
		fail_msg("%s: %.*s instead of %s", text, STR_ARG(piece.code), want);
	assert_int_equal(rest.n, 0);
}

static void test_braces_within_code(void **state)
{
	(void)state;
	assert_code("{{ {a: {b: 1}} }}", "{a: {b: 1}}");
	assert_code("{{{a: {b: 1}}}}", "{a: {b: 1}}");
	assert_code("{{ \"}}\" }}", "\"}}\"");
	assert_code("{{ \"\\\"}}\" }}", "\"\\\"}}\"");
	assert_code("{{ \"a\\(\"}}\" + \"\\({b: \")\"})\")c\" }}", "\"a\\(\"}}\" + \"\\({b: \")\"})\")c\"");
	assert_code("{{ .a # }}\n }}", ".a # }}");
	assert_code("{{ .[\"}}\"] }}", ".[\"}}\"]");
}

static void assert_fault(const char *code)
{
	if (!code_fault(str_of(code)))
		fail_msg("%s was taken", code);
}

static void test_code_that_reaches_out(void **state)
{
	static const char *const bad[] = { "",	   "  ",      "1) + (2", "1 } , { b: 2", "[1", "\"a", "\"\\(1\"",
					   "\"\\(1]\"", "([)]",	 ")",	     "{a: 1",	    "1 # )\n)" };
	static const char *const good[] = { "1",		 ".a # (",  "\"(\"",	      "\"\\\\(\"", "[.a[] | {b: (.c)}]",
					    "\"\\(\"\\(1)\")\"", "\"\\\"\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_fault(bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (code_fault(str_of(good[i])))
			fail_msg("%s: %s", good[i], code_fault(str_of(good[i])));
}

static void test_nesting_is_bounded(void **state)
{
	char deep[1024];

	(void)state;
	memset(deep, '(', 512);
	memset(deep + 512, ')', 512);
	assert_non_null(code_fault((struct str){ deep, sizeof deep }));
	assert_null(code_fault((struct str){ deep + 462, 100 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_literals_stay_literals),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_braces_within_code),
		cmocka_unit_test(test_code_that_reaches_out),
		cmocka_unit_test(test_nesting_is_bounded),
	};

	return cmocka_run_group_tests(tests, flow_setup, flow_teardown);
}
