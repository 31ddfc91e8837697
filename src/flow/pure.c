/* Steps that are computed from what is there. */
#include <string.h>

#include "base/json_read.h"
#include "expr/expr.h"
#include "flow/engine.h"

/* {"name":value}, as the config of a step with one member comes out: the value's text. Absent: there is none. */
static struct str only_member(struct str config, const char *name)
{
	size_t n = strlen(name), before = n + 4; /* {"": */

	if (config.n <= before || memcmp(config.p + 2, name, n) != 0 || config.p[n + 2] != '"')
		return STR_NONE;
	return str_slice(config, before, config.n - before - 1);
}

static void write_branch(struct ctx *cx, struct str config, struct json_writer *w)
{
	json_t *json;
	struct str branch = STR_NONE, otherwise = STR_NONE;

	if (json_read(cx->arena, config, &json, NULL) == OK) {
		branch = json_member_text(json, "cases");
		otherwise = json_member_text(json, "otherwise");
	}
	if (str_absent(branch))
		branch = str_absent(otherwise) ? STR("otherwise") : otherwise;
	jw_object(w);
	jw_put_text(w, "branch", branch);
	jw_object_end(w);
}

static void write_condition(struct str config, struct json_writer *w)
{
	jw_object(w);
	jw_put_bool(w, "result", json_is_truth(only_member(config, "expression")));
	jw_object_end(w);
}

static void write_answer(const struct execution *x, struct place place, struct str config,
			 const struct scope_item *item, struct json_writer *w)
{
	struct str body = only_member(config, "body");

	if (!str_absent(body))
		jw_add_raw(w, body);
	else if (item)
		jw_add_tree(w, item->value);
	else
		scope_input(x, place.step, w);
}

static void write_output(struct ctx *cx, const struct execution *x, struct place place, struct str config,
			 const struct scope_item *item, struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	switch (place_step(x, place)->type) {
	case STEP_TRIGGER: jw_add_raw(&w, x->input); break;
	case STEP_TRANSFORM: jw_add_raw(&w, only_member(config, "expression")); break;
	case STEP_CONDITION: write_condition(config, &w); break;
	case STEP_LOGIC: write_branch(cx, config, &w); break;
	case STEP_RESPOND: write_answer(x, place, config, item, &w); break;
	default: jw_add_raw(&w, config); break;
	}
}

enum err pure_run(struct ctx *cx, struct execution *x, struct place place, const struct scope_item *item)
{
	BUF_AUTO struct buf config = { 0 }, output = { 0 };
	enum err e;

	buf_init(&config, CONFIG_MAX);
	buf_init(&output, CONFIG_MAX + EXECUTION_TOTAL_MAX);
	e = scope_config(cx, x, place_step(x, place), item, EXECUTION_OUTPUT_MAX + 1024, &config);
	if (e != OK)
		return step_fail_by(cx, x, place, e);
	write_output(cx, x, place, buf_str(&config), item, &output);
	TRY(buf_error(&output));
	return step_complete(x, place, buf_str(&output));
}
