#include "live/run.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "flow/execution.h"
#include "store/sql_live_run.h"

struct saying {
	struct id run;
	struct sql_live_run_lock_row row;
	const json_t *data;
};

/* A member of what was said as JSON of its own; null without it. */
static enum err member_json(struct ctx *cx, const json_t *data, const char *name,
			    struct str *ret_json)
{
	BUF_AUTO struct buf text = { 0 };
	const json_t *value = json_member(data, name);
	struct json_writer w;

	*ret_json = STR_NONE;
	buf_init(&text, EXECUTION_INPUT_MAX);
	jw_start(&w, &text);
	if (value)
		jw_add_tree(&w, value);
	else
		jw_add_null(&w);
	if (buf_error(&text) == ERR_TOO_BIG)
		return ctx_bad_field(cx, "data", "TOO_LONG", "is larger than an execution takes");
	TRY(buf_error(&text));
	*ret_json = arena_copy(cx->arena, buf_str(&text));
	return str_absent(*ret_json) ? ERR_NO_MEMORY : OK;
}

static enum err start(struct ctx *cx, struct saying *s, struct str only_step)
{
	struct execution_new new = { .workflow = s->row.workflow_id,
				     .source = EXECUTION_RUN,
				     .source_id = { true, s->run },
				     .run = { true, s->run },
				     .only_step = only_step };

	TRY(member_json(cx, s->data, "input_data", &new.input));
	TRY(execution_start(cx, &new, &s->row.execution_id.v));
	s->row.execution_id.set = true;
	return OK;
}

static enum err say_start(struct ctx *cx, struct saying *s)
{
	if (s->row.execution_id.set)
		return ctx_fail(cx, ERR_CONFLICT, "This run has begun already.");
	TRY(start(cx, s, STR_NONE));
	return sql_live_run_begin(cx->db,
				  &(struct sql_live_run_begin_in){
					  .run_id = s->run, .execution_id = s->row.execution_id.v },
				  NULL);
}

/* One step alone, with what the client gives it: each time an execution of its own, beside the run's. */
static enum err say_execute(struct ctx *cx, struct saying *s)
{
	struct str step = json_member_text(s->data, "node_id");

	if (str_absent(step))
		return ctx_bad_field(cx, "data.node_id", "REQUIRED", "is missing");
	TRY(start(cx, s, step));
	return sql_live_run_use(cx->db, &(struct sql_live_run_use_in){ .run_id = s->run }, NULL);
}

static enum err tell(struct ctx *cx, struct saying *s, const char *kind)
{
	struct str payload;

	if (!s->row.execution_id.set)
		return ctx_fail(cx, ERR_CONFLICT,
				"This run hasn't begun: say session:start first.");
	TRY(member_json(cx, s->data, "text", &payload));
	return execution_tell(cx, &s->row.execution_id.v, str_of(kind),
			      json_member_text(s->data, "node_id"), payload);
}

static enum err say_message(struct ctx *cx, struct saying *s)
{
	if (str_absent(json_member_text(s->data, "text")))
		return ctx_bad_field(cx, "data.text", "REQUIRED", "is missing");
	return tell(cx, s, "message");
}

static enum err say_advance(struct ctx *cx, struct saying *s) { return tell(cx, s, "advance"); }

static enum err say_end(struct ctx *cx, struct saying *s)
{
	if (s->row.execution_id.set)
		TRY(execution_stop(cx, &s->row.execution_id.v));
	return sql_live_run_end(cx->db, &(struct sql_live_run_end_in){ .run_id = s->run }, NULL);
}

static const struct {
	const char *type;
	enum err (*say)(struct ctx *cx, struct saying *s);
} SAYINGS[] = {
	{ "session:start", say_start },  { "node:execute", say_execute },
	{ "user:message", say_message }, { "workflow:advance", say_advance },
	{ "session:end", say_end },
};

enum err run_say(struct ctx *cx, const struct id *run, const struct run_said *said,
		 struct opt_id *ret_execution)
{
	struct saying s = { .run = *run, .data = said->data };

	ctx_audit_target(cx, ID_RUN, run);
	ctx_audit_detail(cx, "type", said->type);
	TRY(sql_live_run_lock(cx->db, &(struct sql_live_run_lock_in){ .run_id = *run }, &s.row));
	if (!str_eq(s.row.status, STR("open")))
		return ctx_fail(cx, ERR_CONFLICT, "This run has ended.");
	for (size_t i = 0; i < ARRAY_SIZE(SAYINGS); i++) {
		if (!str_eq(said->type, str_of(SAYINGS[i].type)))
			continue;
		TRY(SAYINGS[i].say(cx, &s));
		*ret_execution = s.row.execution_id;
		return OK;
	}
	return ctx_bad_field(cx, "type", "NOT_ALLOWED", "isn't one that a run takes");
}
