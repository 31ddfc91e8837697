/*
 * Expressions that somebody writes to hang, fill, bring down or look around in the service, against latch-expr itself:
 * each is refused within its limits with words, the same client goes on, and another one notices nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expr_support.h"

/* Sets of enum expr_why: which of several limits an expression meets first may depend on the machine. */
enum {
	SYNTAX = 1 << EXPR_SYNTAX,
	FAILED = 1 << EXPR_FAILED,
	TIME = 1 << EXPR_TIME,
	MEMORY = 1 << EXPR_MEMORY,
	TOO_LARGE = 1 << EXPR_TOO_LARGE,
	DIED = 1 << EXPR_DIED,
	NOT_AT_ALL = 1 << EXPR_OK, /* it does no harm, and may get through */
	/* Without the limit of memory, under sanitizers, only time is left. */
	MUCH = MEMORY | TIME,
};

struct attack {
	const char *program;
	unsigned ends;
	const char *words; /* that are in the failure's; NULL: any */
};

static struct service service;
static struct expr *attacker, *other;

static void refused(struct str program, struct str input, unsigned ends, const char *words)
{
	enum expr_why why = service_evaluate(attacker, program, input);
	int shown = (int)(program.n < 60 ? program.n : 60);

	if (!(1U << why & ends))
		fail_msg("%.*s: %s %s", shown, program.p, err_code(service_error), service_failure.words);
	if (why != EXPR_OK && service_failure.words[0] == '\0')
		fail_msg("%.*s says nothing", shown, program.p);
	if (words && !strstr(service_failure.words, words))
		fail_msg("%.*s says '%s'", shown, program.p, service_failure.words);
	/* Nobody else has noticed, and the same client goes on. */
	assert_string_equal(service_yields(other, STR(".a + 1"), STR("{\"a\":1}")), "2");
	assert_string_equal(service_yields(attacker, STR(".a + 2"), STR("{\"a\":1}")), "3");
}

static void all_refused(const struct attack *attacks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		refused(str_of(attacks[i].program), STR("{\"a\":1}"), attacks[i].ends, attacks[i].words);
}

static void endless_loops_end(void **state)
{
	static const struct attack attacks[] = {
		{ "def f: f; f", TIME, "its time was over" },
		{ "last(repeat(1))", TIME, NULL },
		{ "until(false; .)", TIME, NULL },
		{ "last(range(infinite))", TIME, NULL },
		{ "last(recurse(.))", TIME | MEMORY, NULL },
		{ "reduce repeat(1) as $x (0; . + $x)", TIME, NULL },
		{ "1, last(repeat(1))", TIME, NULL },
		{ "label $out | foreach repeat(1) as $x (0; .; empty)", TIME, NULL },
		{ "[limit(0; repeat(1))] | until(false; .)", TIME, NULL },
		{ "path(last(repeat(.)))", TIME, NULL },
	};

	(void)state;
	all_refused(attacks, ARRAY_SIZE(attacks));
}

static void whatever_grows_is_stopped(void **state)
{
	static const struct attack attacks[] = {
		{ "[range(infinite)]", MUCH, NULL },
		{ "[while(true; .)]", MUCH, NULL },
		{ "[limit(1e9; repeat(0))]", MUCH, NULL },
		{ "[1] | until(false; . + .)", MUCH | DIED, NULL },
		{ "\"x\" | until(false; . + .)", MUCH | DIED, NULL },
		{ "reduce range(60) as $i (\"x\"; . + .)", MUCH | DIED, NULL },
		{ "\"x\" * 1e9", MUCH | DIED | TOO_LARGE, NULL },
		{ "null | setpath([1e9]; 1)", MUCH | DIED, NULL },
		{ "null | .[2147483647] = 1", MUCH | DIED | FAILED, NULL },
		{ "null | .[1e300] = 1", MUCH | DIED | FAILED, NULL },
		{ "[range(1e6)] | tojson | until(false; . + .)", MUCH | DIED, NULL },
		{ "reduce range(1e9) as $i ({}; .[$i | tostring] = $i)", MUCH, NULL },
		{ "[.. , ..] | until(false; [., .] | tojson)", MUCH | DIED, NULL },
		{ "[splits(\"\")] | combinations(99)", MUCH | DIED | FAILED | TOO_LARGE, NULL },
		{ "[[range(100)] | combinations(9)]", MUCH | DIED | FAILED, NULL },
		{ "\"x\" * 3e6", TOO_LARGE, "too long" },
		{ "[range(150000)]", TOO_LARGE, NULL },
	};

	(void)state;
	all_refused(attacks, ARRAY_SIZE(attacks));
}

static void whatever_nests_is_stopped(void **state)
{
	static const struct attack attacks[] = {
		{ "def f: 1 + f; f", MUCH | DIED, NULL },
		{ "def f: [f]; f", MUCH | DIED, NULL },
		{ "def f(g): f(f(g)); f(1)", MUCH | DIED, NULL },
		{ "reduce range(100) as $i (1; [.])", TOO_LARGE, "nested too deep" },
		{ "reduce range(1e9) as $i (1; [.])", MUCH | DIED, NULL },
		{ "reduce range(300000) as $i (1; [.]) | tojson", MUCH | DIED | TOO_LARGE, NULL },
		{ "reduce range(300000) as $i (1; [.]) | flatten", MUCH | DIED | TOO_LARGE, NULL },
		{ "reduce range(300000) as $i (1; {a: .}) | [.., 1] | length", MUCH | DIED | TOO_LARGE, NULL },
		{ "[limit(100000; repeat(\"[\"))] | add | fromjson", FAILED | MUCH, NULL },
		{ "reduce range(200000) as $i (1; [.]) | . == .", MUCH | DIED | TOO_LARGE | NOT_AT_ALL, NULL },
	};

	(void)state;
	all_refused(attacks, ARRAY_SIZE(attacks));
}

static void a_regular_expression_that_backtracks_for_ever_is_stopped(void **state)
{
	static const struct attack attacks[] = {
		{ "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\" | test(\"^(a+)+$\")", FAILED | TIME, NULL },
		{ "(\"a\" * 5000) + \"!\" | test(\"^(a|aa)+$\")", FAILED | MUCH, NULL },
		{ "(\"a\" * 100000) | [match(\"a*?b\"; \"g\")]", FAILED | MUCH | NOT_AT_ALL, NULL },
		{ "[limit(100000; repeat(\"(\"))] | add as $x | \"a\" | test($x)", FAILED | MUCH | DIED, NULL },
		{ "\"a\" | test(\"a{100000}{100000}\")", FAILED | MUCH | DIED, NULL },
		{ "\"\" | until(false; gsub(\"\";\"a\"))", MUCH | DIED | FAILED, NULL },
	};

	(void)state;
	all_refused(attacks, ARRAY_SIZE(attacks));
}

static void there_is_nothing_to_look_at(void **state)
{
	static const char *const yields[][2] = {
		{ "env", "{}" },
		{ "$ENV", "{}" },
		{ "env.PATH", "null" },
		{ "input_filename", "null" },
		{ "get_search_list", "[]" },
		{ "debug", "{\"a\":1}" },
		{ "stderr", "{\"a\":1}" },
		{ "now | localtime | mktime | type", "\"number\"" },
		{ "0 | strflocaltime(\"%Z\")", "\"UTC\"" },
		{ "$__loc__.file", "\"<top-level>\"" },
		{ "\"a'b; rm -rf /\" | @sh", "\"'a'\\\\''b; rm -rf /'\"" },
	};
	static const struct attack attacks[] = {
		{ "input", FAILED, NULL },
		{ "[inputs] | error(\"none\")", FAILED, NULL },
		{ "halt", FAILED, "halted" },
		{ "\"bye\" | halt_error", FAILED, "halted" },
		{ "halt_error(3)", FAILED, "halted" },
		{ "import \"/etc/passwd\" as $x; .", SYNTAX, "module not found" },
		{ "import \"/etc/passwd\" as x; .", SYNTAX, "module not found" },
		{ "import \"../../etc/passwd\" as $x {search: \"/\"}; .", SYNTAX, NULL },
		{ "import \"a\" as $x {search: [\"/etc\", \"./\", \"~/\", \"$ORIGIN/\"]}; .", SYNTAX, NULL },
		{ "include \"passwd\" {search: \"/etc\"}; .", SYNTAX, NULL },
		{ "\"/etc/passwd\" | modulemeta", FAILED, NULL },
		{ "{} | modulemeta", FAILED, NULL },
		{ "$__prog_args", SYNTAX, NULL },
		{ "@nothing", FAILED | SYNTAX, NULL },
		{ "%", SYNTAX, NULL },
		{ "\"\\u0000\"", FAILED, "U+0000" },
		{ "error(\"\\u001b[31m\\u0000\\n\")", FAILED, "[31m" },
		{ "1e1000000 | todate", FAILED | DIED, NULL },
		{ "1e18 | gmtime | error(\"far\")", FAILED | DIED, NULL },
		{ "[9e18, 1, 1, 1, 1, 1, 1, 1] | mktime | error(\"far\")", FAILED | DIED, NULL },
		{ "0 | strftime(\"%5000000Y\") | error(\"long\")", FAILED | DIED | MUCH, NULL },
		{ "[55296, 1114112, -1, 1e300, nan] | implode | error(\"odd\")", FAILED | DIED | MUCH, NULL },
		{ "ltrimstr(1) | splits(1)", FAILED, NULL },
		{ "{} | .[nan] = 1", FAILED, NULL },
		{ "[1] | .[nan:nan] = [1] | error(\"odd\")", FAILED | DIED | MUCH, NULL },
		{ "[1,2] | .[-9e18:9e18] | error(\"odd\")", FAILED | DIED | MUCH, NULL },
		{ "[range(10)] | del(.[nan]) | error(\"odd\")", FAILED | DIED | MUCH, NULL },
		{ "getpath([\"a\", 0, {}, []])", FAILED, NULL },
		{ "[range(-300; 300)] | map(ascii) | error(\"odd\")", SYNTAX | FAILED | DIED | MUCH, NULL },
		{ "[1e9] | @base32d", FAILED | DIED, NULL },
		{ "\"=\" | @base64d | error(\"odd\")", FAILED | DIED | MUCH, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yields); i++)
		assert_string_equal(service_yields(attacker, str_of(yields[i][0]), STR("{\"a\":1}")), yields[i][1]);
	all_refused(attacks, ARRAY_SIZE(attacks));
	char *log = service_log(&service);
	assert_null(strstr(log, "\\\"a\\\"")); /* what debug and stderr print is nowhere */
	assert_null(strstr(log, "{\"a\":1}"));
	assert_null(strstr(log, "tried what it may not"));
	free(log);
}

/* So many times the same bytes, between others. */
static struct str repeated(const char *first, const char *unit, size_t times, const char *last)
{
	static struct buf text;

	if (!text.max)
		buf_init(&text, 32 << 20);
	buf_clear(&text);
	buf_add_c(&text, first);
	for (size_t i = 0; i < times; i++)
		buf_add_c(&text, unit);
	buf_add_c(&text, last);
	assert_int_equal(buf_error(&text), OK);
	return buf_str(&text);
}

static void enormous_programs_are_refused(void **state)
{
	(void)state;
	refused(repeated("", "1+", 5000000, "1"), STR("1"), TOO_LARGE, NULL);
	refused(repeated("", "1+", 32760, "1"), STR("1"), SYNTAX | MUCH | DIED | NOT_AT_ALL, NULL);
	refused(repeated("", ".a|", 21000, "."), STR("{}"), SYNTAX | FAILED | MUCH | DIED | NOT_AT_ALL, NULL);
	refused(repeated("", "(", 60000, ""), STR("1"), SYNTAX | MUCH | DIED, NULL);
	refused(repeated("", "[", 30000, ""), STR("1"), SYNTAX | MUCH | DIED, NULL);
	refused(repeated("", "def f: ", 8000, "1"), STR("1"), SYNTAX | MUCH | DIED, NULL);
	refused(repeated("\"", "\\(", 20000, ""), STR("1"), SYNTAX | MUCH | DIED, NULL);
	refused(repeated("", "def f(g): g; f(", 4000, "1"), STR("1"), SYNTAX | MUCH | DIED, NULL);
}

static void hostile_inputs_are_refused(void **state)
{
	(void)state;
	refused(STR("."), repeated("", "[", 5000000, ""), FAILED | MUCH | DIED, NULL);
	refused(STR("."), repeated("", "[", 200, ""), FAILED, "isn't JSON");
	refused(STR("."), repeated("", "{\"a\":", 1000000, "1"), FAILED | MUCH | DIED, NULL);
	refused(STR("."), repeated("\"", "x", EXPR_INPUT_MAX, "\""), TOO_LARGE, NULL);
	refused(STR("."), repeated("[", "1,", 4000000, "1]"), TOO_LARGE | MUCH, NULL);
	refused(STR("."), repeated("", "9", 4000000, ""), FAILED | MUCH | NOT_AT_ALL, NULL);
	refused(STR("."), STR("1\0002"), FAILED, NULL);
	refused(STR("."), STR(""), FAILED, NULL);
	refused(STR("."), STR("\"\\u0000\""), FAILED, NULL);
	refused(STR(".\0."), STR("1"), SYNTAX, NULL);
	refused(STR("\xff\xfe"), STR("1"), SYNTAX, NULL);
	assert_string_equal(service_yields(attacker, STR("."), STR("\"a\xff" "b\"")), "\"a\xef\xbf\xbd" "b\"");
}

static void checking_a_program_has_limits_too(void **state)
{
	struct expr_failure failure;

	(void)state;
	assert_int_equal(expr_check(attacker, STR("def f: f; f"), &failure), OK);
	assert_int_equal(expr_check(attacker, STR(".a |"), &failure), ERR_BAD_INPUT);
	assert_int_equal(failure.why, EXPR_SYNTAX);
	assert_int_equal(failure.line, 1);
	assert_int_equal(expr_check(attacker, repeated("", "1+", 5000000, "1"), &failure), ERR_BAD_INPUT);
	assert_int_equal(failure.why, EXPR_TOO_LARGE);
	assert_int_equal(expr_check(attacker, repeated("", "[", 30000, ""), &failure), ERR_BAD_INPUT);
	assert_int_equal(expr_check(attacker, STR("."), &failure), OK);
}

static int setup(void **state)
{
	(void)state;
	service_start(&service, "memory_mib = 128\n");
	attacker = service_client(&service);
	other = service_client(&service);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	expr_free(attacker);
	expr_free(other);
	return service_stop(&service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endless_loops_end),
		cmocka_unit_test(whatever_grows_is_stopped),
		cmocka_unit_test(whatever_nests_is_stopped),
		cmocka_unit_test(a_regular_expression_that_backtracks_for_ever_is_stopped),
		cmocka_unit_test(there_is_nothing_to_look_at),
		cmocka_unit_test(enormous_programs_are_refused),
		cmocka_unit_test(hostile_inputs_are_refused),
		cmocka_unit_test(checking_a_program_has_limits_too),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
