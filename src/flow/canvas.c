/*
 * The form that canvases save: {"nodes": [{"id", "type", "position", "data"}], "edges": [{"source", "target"}]}.
 * A node's and an edge's other members are the drawing's own; what a step is stands in `data`.
 *
 * Edges with conditions become one condition of their target: true when any of them is an edge whose step is completed
 * and whose condition, if it has one, is true.
 */
#include "base/buf.h"
#include "base/json_write.h"
#include "flow/config.h"
#include "flow/draft.h"

enum { HANDLE_MOST = 128, DATA_STEP_MOST = 64 << 10 };

/* What a node's `data` may hold: a step's members, and what only the drawing looks at. */
static const char DATA_MEMBERS[] =
	"type|name|label|config|retry|timeout_ms|on_error|description|notes|icon|color|category|status|width|height";

static void read_node(struct draft *draft, const json_t *node)
{
	struct flow_step *step = &draft->step[draft->n];
	const json_t *data = json_member(node, "data"), *type = json_member(data, "type");
	size_t before;

	if (!json_is_kind(node, JSON_OBJECT)) {
		draft_fault(draft, "WRONG_TYPE", "must be an object");
		return;
	}
	step_read_id(draft, json_member(node, "id"), step);
	before = draft->n_place;
	if (type)
		(void)draft_enter(draft, "data");
	bool typed = step_read_type(draft, type ? type : json_member(node, "type"), &step->type);
	draft_leave(draft, before);
	before = draft_enter(draft, "data");
	if (data && draft_expect(draft, data, JSON_OBJECT))
		draft_members(draft, data, DATA_MEMBERS);
	if (typed)
		step_read(draft, data, step);
	draft_leave(draft, before);
}

/* --- edges ---------------------------------------------------------------------------------------------- */

static size_t read_end(struct draft *draft, const json_t *edge, const char *member)
{
	struct str id = json_member_text(edge, member);
	size_t found = str_absent(id) ? draft->n : draft_find(draft, id);

	if (str_absent(id))
		draft_fault_at(draft, member, "REQUIRED", "is missing");
	else if (found == draft->n)
		draft_fault_at(draft, member, "UNKNOWN_STEP", "isn't the id of a node");
	return found;
}

static bool logic_has_branch(const struct flow_step *step, struct str branch)
{
	const json_t *cases = json_member(step->config, "cases");
	struct str otherwise = json_member_text(step->config, "otherwise");

	for (size_t i = 0; i < json_length(cases); i++)
		if (str_eq(json_member_text(json_item(cases, i), "branch"), branch))
			return true;
	return str_eq(branch, str_absent(otherwise) ? STR("otherwise") : otherwise);
}

/* `.steps["id"].branch == "name"` of what an edge is drawn from; a handle of another type is the drawing's own. */
static void add_handle(struct draft *draft, const struct flow_step *from, struct str handle, struct buf *out)
{
	bool yes = str_eq(handle, STR("true")), no = str_eq(handle, STR("false"));

	if (from->type != STEP_CONDITION && from->type != STEP_LOGIC)
		return;
	if (from->type == STEP_CONDITION ? !yes && !no : !logic_has_branch(from, handle)) {
		draft_fault_at(draft, "sourceHandle", "UNKNOWN_BRANCH",
			       from->type == STEP_CONDITION ? "must be true or false"
							    : "isn't a branch of the node that it comes from");
		return;
	}
	buf_add_c(out, ".steps[");
	json_escape(out, from->id);
	buf_add_c(out, from->type == STEP_CONDITION ? "].result == " : "].branch == ");
	if (from->type == STEP_CONDITION)
		buf_add_str(out, handle);
	else
		json_escape(out, handle);
}

/* Absent when the edge asks for nothing. */
static struct str edge_condition(struct draft *draft, const json_t *edge, const struct flow_step *from)
{
	BUF_AUTO struct buf out = { 0 };
	const json_t *condition = json_member(edge, "condition"), *handle = json_member(edge, "sourceHandle");
	size_t before;
	struct str text;

	buf_init(&out, FLOW_EXPRESSION_MAX + 1024);
	if (!json_is_kind(handle, JSON_NULL) && !str_absent(json_text(handle)))
		add_handle(draft, from, json_text(handle), &out);
	if (!json_is_kind(condition, JSON_NULL) && condition) {
		before = draft_enter(draft, "condition");
		if (draft_expect(draft, condition, JSON_STRING)) {
			draft_expression(draft, json_text(condition));
			buf_add_c(&out, out.n > 0 ? " and (" : "(");
			buf_add_str(&out, str_trim(json_text(condition)));
			buf_add_c(&out, "\n)");
		}
		draft_leave(draft, before);
	}
	if (out.n == 0 || buf_error(&out) == ERR_TOO_BIG)
		return STR_NONE;
	text = arena_copy(draft->arena, buf_str(&out));
	if (buf_error(&out) != OK || str_absent(text))
		draft->error = ERR_NO_MEMORY;
	return text;
}

static void read_edge(struct draft *draft, const json_t *edge)
{
	size_t from, to;

	if (!json_is_kind(edge, JSON_OBJECT)) {
		draft_fault(draft, "WRONG_TYPE", "must be an object");
		return;
	}
	from = read_end(draft, edge, "source");
	to = read_end(draft, edge, "target");
	if (from < draft->n && to < draft->n)
		draft->edge[draft->edges++] = (struct draft_edge){ (uint16_t)from, (uint16_t)to,
								   edge_condition(draft, edge, &draft->step[from]) };
}

static void read_edges(struct draft *draft, const json_t *edges)
{
	if (!draft_expect(draft, edges, JSON_ARRAY))
		return;
	if (json_length(edges) > FLOW_EDGES_MAX) {
		draft_fault(draft, "TOO_MANY", "must have at most %d edges", FLOW_EDGES_MAX);
		return;
	}
	draft->edge = arena_array(draft->arena, json_length(edges) + 1, sizeof *draft->edge);
	if (!draft->edge) {
		draft->error = ERR_NO_MEMORY;
		return;
	}
	for (size_t i = 0; i < json_length(edges); i++) {
		size_t before = draft_enter_item(draft, i);

		read_edge(draft, json_item(edges, i));
		draft_leave(draft, before);
	}
}

/* --- what a step's edges ask for ------------------------------------------------------------------------ */

static void add_edge(struct draft *draft, const struct draft_edge *edge, struct buf *out)
{
	buf_add_c(out, out->n > 0 ? " or (" : "(");
	buf_add_c(out, "(.steps | has(");
	json_escape(out, draft->step[edge->from].id);
	buf_add_c(out, "))");
	if (!str_absent(edge->when)) {
		buf_add_c(out, " and (");
		buf_add_str(out, edge->when);
		buf_add_c(out, ")");
	}
	buf_add_char(out, ')');
}

static void join_conditions(struct draft *draft, size_t step)
{
	BUF_AUTO struct buf out = { 0 };
	bool asks = false;

	for (size_t i = 0; i < draft->edges; i++)
		asks |= draft->edge[i].to == step && !str_absent(draft->edge[i].when);
	if (!asks)
		return;
	buf_init(&out, DATA_STEP_MOST);
	for (size_t i = 0; i < draft->edges; i++)
		if (draft->edge[i].to == step)
			add_edge(draft, &draft->edge[i], &out);
	if (buf_error(&out) == ERR_TOO_BIG) {
		draft_fault(draft, "TOO_LONG", "the conditions of the edges to one node have at most 64 KiB");
		return;
	}
	draft->step[step].when = arena_copy(draft->arena, buf_str(&out));
	if (buf_error(&out) != OK || str_absent(draft->step[step].when))
		draft->error = ERR_NO_MEMORY;
}

void canvas_read(struct draft *draft, const json_t *definition)
{
	size_t before = draft_enter(draft, "nodes");

	draft_read_steps(draft, json_member(definition, "nodes"), "node", read_node);
	draft_leave(draft, before);
	if (draft->error != OK)
		return;
	before = draft_enter(draft, "edges");
	read_edges(draft, json_member(definition, "edges"));
	for (size_t i = 0; i < draft->n && draft->error == OK && draft->faults == 0; i++)
		join_conditions(draft, i);
	draft_leave(draft, before);
}
