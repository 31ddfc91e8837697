/* The rows of agents. */
#include "ai/agent.h"
#include "store/sql_ai.h"

static enum err keep(struct ctx *cx, struct str *text)
{
	if (str_absent(*text))
		return OK;
	*text = arena_copy(cx->arena, *text);
	return str_absent(*text) ? ERR_NO_MEMORY : OK;
}

static enum err keep_all(struct ctx *cx, struct agent *agent)
{
	struct str *const texts[] = { &agent->name,    &agent->description,  &agent->provider,
				      &agent->model,   &agent->instructions, &agent->connectors,
				      &agent->fallback };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		TRY(keep(cx, texts[i]));
	return OK;
}

enum err agent_find(struct ctx *cx, struct str id_or_name, struct agent *ret_agent)
{
	const struct sql_agent_named_in by_name = { .name = id_or_name };
	struct sql_agent_get_in by_id;
	struct sql_agent_named_row named;
	struct sql_agent_get_row got;

	if (id_parse(ID_AGENT, id_or_name, &by_id.agent_id)) {
		TRY(sql_agent_get(cx->db, &by_id, &got));
		*ret_agent = AGENT_OF(got);
	} else {
		TRY(sql_agent_named(cx->db, &by_name, &named));
		*ret_agent = AGENT_OF(named);
	}
	return keep_all(cx, ret_agent);
}
