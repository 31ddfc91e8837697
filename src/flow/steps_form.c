/* {"steps", "dependencies", "conditions"} */
#include "flow/draft.h"

static void read_step(struct draft *draft, const json_t *one)
{
	struct flow_step *step = &draft->step[draft->n];

	if (!json_is_kind(one, JSON_OBJECT)) {
		draft_fault(draft, "WRONG_TYPE", "must be an object");
		return;
	}
	draft_members(draft, one, "id|type|name|config|retry|timeout_ms|on_error");
	step_read_id(draft, json_member(one, "id"), step);
	if (step_read_type(draft, json_member(one, "type"), &step->type))
		step_read(draft, one, step);
}

/* The step that a member is named after. */
static size_t step_named(struct draft *draft, struct str id)
{
	size_t found = draft_find(draft, id);

	if (found == draft->n)
		draft_fault(draft, "UNKNOWN_STEP", "isn't the id of a step");
	return found;
}

static void read_needs(struct draft *draft, size_t step, const json_t *list)
{
	if (!draft_expect(draft, list, JSON_ARRAY))
		return;
	for (size_t i = 0; i < json_length(list); i++) {
		size_t before = draft_enter_item(draft, i), from = draft->n;

		if (draft_expect(draft, json_item(list, i), JSON_STRING))
			from = step_named(draft, json_text(json_item(list, i)));
		if (from < draft->n && step < draft->n && draft->edges < FLOW_EDGES_MAX)
			draft->edge[draft->edges++] = (struct draft_edge){ (uint16_t)from, (uint16_t)step, STR_NONE };
		draft_leave(draft, before);
	}
}

static size_t count_needs(const json_t *dependencies)
{
	size_t n = 0;

	for (void *i = json_first(dependencies); i; i = json_next(dependencies, i))
		n += json_length(json_iter_value(i));
	return n;
}

static void read_dependencies(struct draft *draft, const json_t *dependencies)
{
	size_t n = count_needs(dependencies);

	if (!draft_expect(draft, dependencies, JSON_OBJECT))
		return;
	if (n > FLOW_EDGES_MAX) {
		draft_fault(draft, "TOO_MANY", "must have at most %d in all", FLOW_EDGES_MAX);
		return;
	}
	draft->edge = arena_array(draft->arena, n + 1, sizeof *draft->edge);
	if (!draft->edge) {
		draft->error = ERR_NO_MEMORY;
		return;
	}
	for (void *i = json_first(dependencies); i; i = json_next(dependencies, i)) {
		size_t before = draft_enter_str(draft, json_iter_key(i));

		read_needs(draft, step_named(draft, json_iter_key(i)), json_iter_value(i));
		draft_leave(draft, before);
	}
}

static void read_conditions(struct draft *draft, const json_t *conditions)
{
	if (!draft_expect(draft, conditions, JSON_OBJECT))
		return;
	for (void *i = json_first(conditions); i; i = json_next(conditions, i)) {
		const json_t *when = json_iter_value(i);
		size_t before = draft_enter_str(draft, json_iter_key(i));
		size_t step = step_named(draft, json_iter_key(i));

		if (draft_expect(draft, when, JSON_STRING)) {
			draft_expression(draft, json_text(when));
			if (step < draft->n)
				draft->step[step].when = json_text(when);
		}
		draft_leave(draft, before);
	}
}

void steps_read(struct draft *draft, const json_t *definition)
{
	size_t before = draft_enter(draft, "steps");

	draft_read_steps(draft, json_member(definition, "steps"), "step", read_step);
	draft_leave(draft, before);
	if (draft->error != OK)
		return;
	before = draft_enter(draft, "dependencies");
	read_dependencies(draft, json_member(definition, "dependencies"));
	draft_leave(draft, before);
	before = draft_enter(draft, "conditions");
	read_conditions(draft, json_member(definition, "conditions"));
	draft_leave(draft, before);
}
