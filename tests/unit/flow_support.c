#include "flow_support.h"

#include <stdio.h>
#include <string.h>

#include "base/json_read.h"

enum { TEXT_MAX = 64 << 10 };

struct ctx flow_cx;
const struct flow *flow_is;

int flow_setup(void **state)
{
	(void)state;
	flow_cx.arena = arena_new(32 << 20);
	return flow_cx.arena && json_setup() == OK ? 0 : -1;
}

int flow_teardown(void **state)
{
	(void)state;
	arena_free(flow_cx.arena);
	return 0;
}

enum err read_definition(const char *text)
{
	static char quoted[TEXT_MAX];
	json_t *json;

	assert_true(strlen(text) < sizeof quoted);
	for (size_t i = 0; i <= strlen(text); i++)
		quoted[i] = text[i] == '\'' ? '"' : text[i];
	arena_reset(flow_cx.arena);
	problem_clear(&flow_cx.problem);
	if (json_read(flow_cx.arena, str_of(quoted), &json, NULL) != OK)
		fail_msg("the test's own JSON: %s", quoted);
	return flow_read(&flow_cx, flow_cx.arena, json, &flow_is);
}

void assert_sound(const char *text)
{
	if (read_definition(text) == OK)
		return;
	for (size_t i = 0; i < flow_cx.problem.count; i++)
		print_message("%.*s: %s\n", STR_ARG(flow_cx.problem.field[i].field), flow_cx.problem.field[i].code);
	fail_msg("%s was refused", text);
}

void assert_refused(const char *text, const char *place, const char *code)
{
	if (read_definition(text) != ERR_BAD_INPUT)
		fail_msg("%s was taken", text);
	for (size_t i = 0; i < flow_cx.problem.count; i++)
		if (str_eq(flow_cx.problem.field[i].field, str_of(place)) &&
		    str_eq(str_of(flow_cx.problem.field[i].code), str_of(code)))
			return;
	for (size_t i = 0; i < flow_cx.problem.count; i++)
		print_message("%.*s: %s\n", STR_ARG(flow_cx.problem.field[i].field), flow_cx.problem.field[i].code);
	fail_msg("%s: nothing at %s with %s", text, place, code);
}

const struct flow_step *step_of(const char *id)
{
	size_t i = flow_find(flow_is, str_of(id));

	assert_true(i < flow_is->n);
	return &flow_is->step[i];
}
