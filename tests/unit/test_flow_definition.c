/* Definitions in both forms: what is sound becomes one graph, and what isn't is refused with its place. */
#include "flow_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T(id) "{'id': '" id "', 'type': 'transform', 'config': {'expression': '.input'}}"
#define C(id) "{'id': '" id "', 'type': 'condition', 'config': {'expression': '.input.ok'}}"
#define ONE(step) "{'steps': [" step "]}"

static void assert_str_is(struct str s, const char *text)
{
	if (!str_eq(s, str_of(text)))
		fail_msg("%.*s instead of %s", STR_ARG(s), text ? text : "nothing");
}

static void test_order(void **state)
{
	(void)state;
	assert_sound("{'steps': [" T("c") "," T("b") "," T("a") "], 'dependencies': {'c': ['a', 'b'], 'b': ['a', 'a']}}");
	assert_int_equal(flow_is->n, 3);
	assert_str_is(flow_is->step[0].id, "a");
	assert_str_is(flow_is->step[1].id, "b");
	assert_str_is(flow_is->step[2].id, "c");
	assert_int_equal(flow_is->step[2].needs_n, 2);
	assert_int_equal(flow_is->step[1].needs_n, 1);
	assert_int_equal(flow_is->step[0].next_n, 2);
	assert_int_equal(flow_is->step[1].needs[0], 0);
	assert_int_equal(flow_is->step[1].next[0], 2);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_sound(ONE(T("a")));
	assert_str_is(step_of("a")->name, "a");
	assert_int_equal(step_of("a")->attempts, 0);
	assert_int_equal(step_of("a")->timeout_ms, 30000);
	assert_true(str_absent(step_of("a")->when));
	assert_false(step_of("a")->goes_on);
	assert_sound(ONE("{'id': 'a', 'name': 'Ask', 'type': 'ai', 'config': {'prompt': 'x'}, 'on_error': 'continue',"
			 "'retry': {'attempts': 4, 'delay_ms': 0}}"));
	assert_str_is(step_of("a")->name, "Ask");
	assert_int_equal(step_of("a")->attempts, 4);
	assert_int_equal(step_of("a")->delay_ms, 0);
	assert_int_equal(step_of("a")->timeout_ms, 120000);
	assert_true(step_of("a")->goes_on);
}

static void test_cycles(void **state)
{
	(void)state;
	assert_refused("{'steps': [" T("a") "], 'dependencies': {'a': ['a']}}", "definition", "CYCLE");
	assert_refused("{'steps': [" T("x") "," T("a") "," T("b") "," T("c") "],"
		       "'dependencies': {'a': ['c', 'x'], 'b': ['a'], 'c': ['b'], 'x': []}}",
		       "definition", "CYCLE");
	assert_non_null(strstr(flow_cx.problem.field[0].message.p, "a needs c needs b needs a"));
}

static void test_graph_faults(void **state)
{
	(void)state;
	assert_refused("{'steps': [" T("a") "], 'dependencies': {'a': ['nobody']}}", "definition.dependencies.a[0]",
		       "UNKNOWN_STEP");
	assert_refused("{'steps': [" T("a") "], 'dependencies': {'nobody': []}}", "definition.dependencies.nobody",
		       "UNKNOWN_STEP");
	assert_refused("{'steps': [" T("a") "], 'conditions': {'nobody': 'true'}}", "definition.conditions.nobody",
		       "UNKNOWN_STEP");
	assert_refused("{'steps': [" T("a") "], 'conditions': {'a': '(.x'}}", "definition.conditions.a",
		       "BAD_EXPRESSION");
	assert_refused("{'steps': [" T("a") "," T("a") "]}", "definition.steps[1].id", "DUPLICATE");
	assert_refused("{'steps': []}", "definition.steps", "TOO_FEW");
	assert_refused("{}", "definition.steps", "REQUIRED");
	assert_refused("[]", "definition", "WRONG_TYPE");
	assert_refused("{'steps': {}}", "definition.steps", "WRONG_TYPE");
	assert_refused("{'steps': [1]}", "definition.steps[0]", "WRONG_TYPE");
	assert_refused("{'steps': [" T("a") "], 'dependencies': {'a': 'b'}}", "definition.dependencies.a", "WRONG_TYPE");
	assert_refused("{'steps': [" T("a") "], 'stepz': 1}", "definition.stepz", "UNKNOWN_FIELD");
}

static void test_step_faults(void **state)
{
	(void)state;
	assert_refused(ONE("{'id': 'a', 'type': 'nothing'}"), "definition.steps[0].type", "UNKNOWN_TYPE");
	assert_refused(ONE("{'id': 'a'}"), "definition.steps[0].type", "REQUIRED");
	assert_refused(ONE("{'type': 'trigger'}"), "definition.steps[0].id", "REQUIRED");
	assert_refused(ONE("{'id': 'a b', 'type': 'trigger'}"), "definition.steps[0].id", "BAD_FORMAT");
	assert_refused(ONE("{'id': '-a', 'type': 'trigger'}"), "definition.steps[0].id", "BAD_FORMAT");
	assert_refused(ONE("{'id': 'a', 'type': 'trigger', 'retry': {'attempts': 11}}"),
		       "definition.steps[0].retry.attempts", "TOO_LARGE");
	assert_refused(ONE("{'id': 'a', 'type': 'trigger', 'timeout_ms': 5}"), "definition.steps[0].timeout_ms",
		       "TOO_SMALL");
	assert_refused(ONE("{'id': 'a', 'type': 'trigger', 'on_error': 'ignore'}"), "definition.steps[0].on_error",
		       "NOT_ALLOWED");
	assert_refused(ONE("{'id': 'a', 'type': 'trigger', 'config': []}"), "definition.steps[0].config",
		       "WRONG_TYPE");
	assert_refused(ONE("{'id': 'a', 'type': 'trigger', 'color': 'red'}"), "definition.steps[0].color",
		       "UNKNOWN_FIELD");
}

static void test_config_faults(void **state)
{
	(void)state;
	assert_refused(ONE("{'id': 'a', 'type': 'http'}"), "definition.steps[0].config.url", "REQUIRED");
	assert_refused(ONE("{'id': 'a', 'type': 'http', 'config': {'url': 'x', 'method': 'BREW'}}"),
		       "definition.steps[0].config.method", "NOT_ALLOWED");
	assert_refused(ONE("{'id': 'a', 'type': 'http', 'config': {'url': 'x', 'uri': 'y'}}"),
		       "definition.steps[0].config.uri", "UNKNOWN_FIELD");
	assert_refused(ONE("{'id': 'a', 'type': 'http', 'config': {'url': 'x', 'headers': {'A': []}}}"),
		       "definition.steps[0].config.headers.A", "WRONG_TYPE");
	assert_refused(ONE("{'id': 'a', 'type': 'http', 'config': {'url': 'x', 'body': [{'b': 'a {{ .x'}]}}"),
		       "definition.steps[0].config.body[0].b", "BAD_EXPRESSION");
	assert_refused(ONE("{'id': 'a', 'type': 'http', 'config': {'url': 'x', 'connector_id': 'nobody'}}"),
		       "definition.steps[0].config.connector_id", "BAD_FORMAT");
	assert_refused(ONE("{'id': 'a', 'type': 'http', 'config': {'url': 'x', 'fail_on_status': 1}}"),
		       "definition.steps[0].config.fail_on_status", "WRONG_TYPE");
	assert_refused(ONE("{'id': 'a', 'type': 'database', 'config': {'credential_id': null, 'query': 'q', 'max_rows': 0}}"),
		       "definition.steps[0].config.max_rows", "TOO_SMALL");
	assert_refused(ONE("{'id': 'a', 'type': 'delay', 'config': {}}"), "definition.steps[0].config.delay_ms",
		       "REQUIRED");
	assert_refused(ONE("{'id': 'a', 'type': 'delay', 'config': {'delay_ms': 5, 'until': 'x'}}"),
		       "definition.steps[0].config.until", "NOT_ALLOWED");
	assert_refused(ONE("{'id': 'a', 'type': 'delay', 'config': {'delay_ms': 2592000001}}"),
		       "definition.steps[0].config.delay_ms", "TOO_LARGE");
	assert_refused(ONE("{'id': 'a', 'type': 'transform', 'config': {'expression': null}}"),
		       "definition.steps[0].config.expression", "REQUIRED");
	assert_refused(ONE("{'id': 'a', 'type': 'logic', 'config': {'cases': [{'when': '.a'}]}}"),
		       "definition.steps[0].config.cases[0].branch", "REQUIRED");
}

static void test_bodies(void **state)
{
	(void)state;
	assert_sound(ONE("{'id': 'all', 'type': 'for_each', 'config': {'items': '.input', 'concurrency': 4,"
			 "'step': {'type': 'http', 'config': {'url': 'https://x/{{ .item }}'}, 'retry': {'attempts': 2}}}}"));
	assert_non_null(step_of("all")->body);
	assert_str_is(step_of("all")->body->id, "all");
	assert_int_equal(step_of("all")->body->type, STEP_HTTP);
	assert_int_equal(step_of("all")->body->attempts, 2);
	assert_false(str_absent(step_of("all")->body->program));
	assert_refused(ONE("{'id': 'a', 'type': 'for_each', 'config': {'items': '.', 'step': {'type': 'delay'}}}"),
		       "definition.steps[0].config.step.type", "NOT_ALLOWED");
	assert_refused(ONE("{'id': 'a', 'type': 'for_each', 'config': {'items': '.', 'step': {'type': 'http'}}}"),
		       "definition.steps[0].config.step.config.url", "REQUIRED");
	assert_refused(ONE("{'id': 'a', 'type': 'for_each', 'config': {'items': '.', 'step': {'id': 'b', 'type': 'trigger'}}}"),
		       "definition.steps[0].config.step.id", "UNKNOWN_FIELD");
}

static void test_unchosen(void **state)
{
	(void)state;
	assert_sound(ONE(T("a")));
	assert_true(str_absent(flow_is->unchosen));
	assert_sound(ONE("{'id': 'a', 'type': 'http', 'config': {'url': 'x', 'body': null}}"));
	assert_true(str_absent(flow_is->unchosen));
	assert_sound(ONE("{'id': 'a', 'type': 'http', 'config': {'url': 'x', 'connector_id': null}}"));
	assert_str_is(flow_is->unchosen, "definition.steps[0].config.connector_id");
	assert_sound(ONE("{'id': 'a', 'type': 'integration', 'config': {'connector_id': null, 'action': 'preview'}}"));
	assert_str_is(flow_is->unchosen, "definition.steps[0].config.connector_id");
}

static void test_every_fault_is_told(void **state)
{
	(void)state;
	assert_refused("{'steps': [{'id': 'a', 'type': 'http'}, {'id': 'b'}], 'x': 1, 'triggers': [{'type': 'webhook'}]}",
		       "definition.triggers[0].type", "NOT_ALLOWED");
	assert_int_equal(flow_cx.problem.count, 4);
}

static void test_triggers(void **state)
{
	(void)state;
	assert_sound("{'steps': [" T("a") "], 'triggers': [{'type': 'manual'}, {'type': 'event', 'provider': 'stripe',"
		     "'event_types': ['charge.succeeded']}, {'type': 'event'}]}");
	assert_non_null(flow_is->triggers);
	assert_refused("{'steps': [" T("a") "], 'triggers': [{'type': 'event', 'event_types': []}]}",
		       "definition.triggers[0].event_types", "TOO_FEW");
	assert_refused("{'steps': [" T("a") "], 'triggers': [{'type': 'event', 'connector_id': 'cred-1'}]}",
		       "definition.triggers[0].connector_id", "BAD_FORMAT");
	assert_refused("{'steps': [" T("a") "], 'triggers': [{'type': 'schedule'}]}", "definition.triggers[0].type",
		       "NOT_ALLOWED");
	assert_refused("{'steps': [" T("a") "], 'triggers': ['x']}", "definition.triggers[0]", "WRONG_TYPE");
}

/* --- canvases --------------------------------------------------------------------------------------- */

#define NODE(id, type, config)                                                                             \
	"{'id': '" id "', 'type': '" type "', 'position': {'x': 1.5, 'y': 2}, 'data': {'label': 'L " id "', 'config': {" \
	config "}}, 'selected': false}"
#define EDGE(from, to, more) "{'id': 'e', 'source': '" from "', 'target': '" to "'" more "}"
#define DRAWING(edges)                                                                                 \
	"{'nodes': [" NODE("c", "condition", "'expression': '.input.ok'") "," NODE("a", "transform", "'expression': '1'") \
	"," NODE("b", "respond", "") "], 'edges': [" edges "], 'viewport': {'x': 0, 'y': 0, 'zoom': 1}}"

static void test_canvas(void **state)
{
	(void)state;
	assert_sound(DRAWING(EDGE("c", "a", ", 'sourceHandle': null, 'animated': true") "," EDGE("a", "b", "")));
	assert_int_equal(flow_is->n, 3);
	assert_str_is(step_of("a")->name, "L a");
	assert_int_equal(step_of("b")->needs_n, 1);
	assert_true(str_absent(step_of("a")->when));
	assert_sound("{'nodes': [{'id': '1', 'type': 'custom', 'data': {'type': 'trigger'}}]}");
	assert_int_equal(step_of("1")->type, STEP_TRIGGER);
}

static void test_canvas_handles(void **state)
{
	(void)state;
	assert_sound(DRAWING(EDGE("c", "a", ", 'sourceHandle': 'true'") "," EDGE("c", "b", ", 'sourceHandle': 'false'") ","
			     EDGE("a", "b", "")));
	assert_str_is(step_of("a")->when, "((.steps | has(\"c\")) and (.steps[\"c\"].result == true))");
	assert_str_is(step_of("b")->when, "((.steps | has(\"c\")) and (.steps[\"c\"].result == false)) or "
					  "((.steps | has(\"a\")))");
	assert_int_equal(step_of("b")->needs_n, 2);
	assert_sound(DRAWING(EDGE("a", "b", ", 'condition': '.steps.a > 1 # so'")));
	assert_str_is(step_of("b")->when, "((.steps | has(\"a\")) and ((.steps.a > 1 # so\n)))");
	assert_sound(DRAWING(EDGE("a", "b", ", 'sourceHandle': 'right'")));
	assert_true(str_absent(step_of("b")->when));
}

static void test_canvas_branches(void **state)
{
	(void)state;
	assert_sound("{'nodes': [" NODE("l", "logic", "'cases': [{'when': '.input.big', 'branch': 'big'}]") "," NODE(
			     "a", "respond", "") "], 'edges': [" EDGE("l", "a", ", 'sourceHandle': 'big'") "]}");
	assert_str_is(step_of("a")->when, "((.steps | has(\"l\")) and (.steps[\"l\"].branch == \"big\"))");
	assert_refused("{'nodes': [" NODE("l", "logic", "'cases': [{'when': '.input.big', 'branch': 'big'}]") "," NODE(
			       "a", "respond", "") "], 'edges': [" EDGE("l", "a", ", 'sourceHandle': 'small'") "]}",
		       "definition.edges[0].sourceHandle", "UNKNOWN_BRANCH");
}

static void test_canvas_faults(void **state)
{
	(void)state;
	assert_refused(DRAWING(EDGE("a", "x", "")), "definition.edges[0].target", "UNKNOWN_STEP");
	assert_refused(DRAWING("{'target': 'a'}"), "definition.edges[0].source", "REQUIRED");
	assert_refused(DRAWING(EDGE("a", "b", "") "," EDGE("b", "a", "")), "definition", "CYCLE");
	assert_refused(DRAWING(EDGE("c", "a", ", 'sourceHandle': 'maybe'")), "definition.edges[0].sourceHandle",
		       "UNKNOWN_BRANCH");
	assert_refused(DRAWING(EDGE("c", "a", ", 'condition': 'a)'")), "definition.edges[0].condition",
		       "BAD_EXPRESSION");
	assert_refused("{'nodes': [{'id': 'a', 'type': 'http', 'data': {'config': {}}}]}",
		       "definition.nodes[0].data.config.url", "REQUIRED");
	assert_refused("{'nodes': [{'id': 'a', 'data': {'type': 'nothing'}}]}", "definition.nodes[0].data.type",
		       "UNKNOWN_TYPE");
	assert_refused("{'nodes': [{'id': 'a', 'type': 'trigger'}], 'steps': []}", "definition.steps", "UNKNOWN_FIELD");
	assert_refused("{'nodes': []}", "definition.nodes", "TOO_FEW");
}

/* --- limits ------------------------------------------------------------------------------------------- */

static void test_limits(void **state)
{
	static char text[32 << 10];
	size_t n;

	(void)state;
	for (int steps = 200; steps <= 201; steps++) {
		n = (size_t)snprintf(text, sizeof text, "{'steps': [");
		for (int i = 0; i < steps; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s{'id': 's%d', 'type': 'trigger'}",
					      i ? "," : "", i);
		n += (size_t)snprintf(text + n, sizeof text - n, "], 'dependencies': {");
		for (int i = 0; i + 1 < 200; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s's%d': ['s%d']", i ? "," : "", i, i + 1);
		snprintf(text + n, sizeof text - n, "}}");
		if (steps == 201) {
			assert_refused(text, "definition.steps", "TOO_MANY");
			continue;
		}
		assert_sound(text);
		assert_str_is(flow_is->step[0].id, "s199");
		assert_str_is(flow_is->step[199].id, "s0");
	}
}

static void test_long_expressions(void **state)
{
	static char text[40 << 10];
	size_t n = (size_t)snprintf(text, sizeof text, "{'steps': [{'id': 'a', 'type': 'transform', 'config': {'expression': '.");

	(void)state;
	memset(text + n, 'x', 17000);
	snprintf(text + n + 17000, sizeof text - n - 17000, "'}}]}");
	assert_refused(text, "definition.steps[0].config.expression", "TOO_LONG");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_graph_faults),
		cmocka_unit_test(test_step_faults),
		cmocka_unit_test(test_config_faults),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_unchosen),
		cmocka_unit_test(test_every_fault_is_told),
		cmocka_unit_test(test_triggers),
		cmocka_unit_test(test_canvas),
		cmocka_unit_test(test_canvas_handles),
		cmocka_unit_test(test_canvas_branches),
		cmocka_unit_test(test_canvas_faults),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_expressions),
	};

	return cmocka_run_group_tests(tests, flow_setup, flow_teardown);
}
