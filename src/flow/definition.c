#include "flow/definition.h"

#include "base/json_read.h"
#include "flow/draft.h"

static const struct {
	const char *text;
	enum step_kind kind;
} TYPES[] = {
#define STEP(name, text, kind, words) [STEP_##name] = { text, STEP_IS_##kind },
#include "flow/steps.def"
#undef STEP
};

enum step_kind step_type_kind(enum step_type type) { return TYPES[type].kind; }

bool step_type_parse(struct str text, enum step_type *ret_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++) {
		if (!str_eq(text, str_of(TYPES[i].text)))
			continue;
		*ret_type = (enum step_type)i;
		return true;
	}
	return false;
}

size_t flow_find(const struct flow *flow, struct str id)
{
	size_t i = 0;

	while (i < flow->n && !str_eq(flow->step[i].id, id))
		i++;
	return i;
}

static void read_form(struct draft *draft, const json_t *definition)
{
	bool canvas = json_member(definition, "nodes") != NULL;

	if (canvas)
		draft_members(draft, definition, "nodes|edges|viewport|triggers");
	else
		draft_members(draft, definition, "steps|dependencies|conditions|triggers");
	if (!canvas && !json_member(definition, "steps"))
		draft_fault_at(draft, "steps", "REQUIRED", "is missing; a drawing has \"nodes\" instead");
	if (canvas)
		canvas_read(draft, definition);
	else
		steps_read(draft, definition);
	triggers_read(draft, json_member(definition, "triggers"));
}

enum err draft_read(struct ctx *cx, struct arena *arena, const json_t *definition, struct draft_notes *notes,
		    const struct flow **ret_flow)
{
	struct draft draft = { .cx = cx, .arena = arena, .notes = notes };
	struct flow *flow = ARENA_NEW(arena, struct flow);

	*ret_flow = NULL;
	if (!flow)
		return ERR_NO_MEMORY;
	draft_enter(&draft, "definition");
	if (json_is_kind(definition, JSON_OBJECT))
		read_form(&draft, definition);
	else
		draft_fault(&draft, "WRONG_TYPE", "must be an object");
	if (draft.error == OK && draft.faults == 0)
		graph_order(&draft, flow);
	TRY(draft.error);
	if (draft.faults > 0)
		return ERR_BAD_INPUT;
	flow->triggers = json_member(definition, "triggers");
	flow->unchosen = draft.unchosen;
	*ret_flow = flow;
	return OK;
}

enum err flow_read(struct ctx *cx, struct arena *arena, const json_t *definition, const struct flow **ret_flow)
{
	return draft_read(cx, arena, definition, NULL, ret_flow);
}
