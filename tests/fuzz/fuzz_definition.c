/*
 * Definitions from anywhere: either they are read, and then each step comes behind those that it needs and its
 * program's brackets are closed, or every fault has a place and words.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/json_read.h"
#include "flow/definition.h"
#include "flow/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct flow *flow)
{
	if (flow->n == 0 || flow->n > FLOW_STEPS_MAX)
		abort();
	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_step *step = &flow->step[i];

		for (size_t k = 0; k < step->needs_n; k++)
			if (step->needs[k] >= i)
				abort();
		for (size_t k = 0; k < step->next_n; k++)
			if (step->next[k] <= i || step->next[k] >= flow->n)
				abort();
		if (!str_absent(step->program) && code_fault(step->program))
			abort();
		if (!str_absent(step->when) && code_fault(step->when))
			abort();
		if (flow_find(flow, step->id) != i || step->timeout_ms <= 0)
			abort();
		if ((step->type == STEP_FOR_EACH) != (step->body != NULL))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ctx cx;
	const struct flow *flow;
	json_t *json;

	if (!cx.arena) {
		cx.arena = arena_new(64 << 20);
		if (!cx.arena || json_setup() != OK)
			abort();
	}
	problem_clear(&cx.problem);
	if (json_read(cx.arena, (struct str){ (const char *)data, size }, &json, NULL) == OK) {
		enum err e = flow_read(&cx, cx.arena, json, &flow);

		if (e != OK && e != ERR_BAD_INPUT && e != ERR_NO_MEMORY)
			abort();
		if ((e == ERR_BAD_INPUT) != (cx.problem.count > 0))
			abort();
		for (size_t i = 0; i < cx.problem.count; i++)
			if (!str_is_utf8(cx.problem.field[i].field) || cx.problem.field[i].message.n == 0)
				abort();
		if (e == OK)
			look_at(flow);
	}
	arena_reset(cx.arena);
	return 0;
}
