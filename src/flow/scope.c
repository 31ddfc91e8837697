/*
 * What expressions see: {"input", "request", "execution", "steps"}, as a text that grows with each step that is over.
 * An item of a for_each sees its "item" and "index" in front.
 */
#include "base/json_read.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "expr/expr.h"
#include "flow/engine.h"

/* The two brackets that close it are there only while somebody reads. */
static void start(struct execution *x)
{
	struct json_writer w;

	jw_start(&w, &x->scope);
	jw_object(&w);
	jw_put_raw(&w, "input", x->input);
	jw_put_raw(&w, "request", x->request);
	jw_key(&w, "execution");
	scope_execution(x, &w);
	jw_key(&w, "steps");
	jw_object(&w);
	x->scope_members = 0;
}

void scope_execution(const struct execution *x, struct json_writer *w)
{
	jw_object(w);
	answer_id(w, "id", ID_EXECUTION, &x->id);
	answer_id(w, "workflow_id", ID_WORKFLOW, &x->workflow);
	jw_object_end(w);
}

static void add_steps(struct execution *x)
{
	struct json_writer w;

	jw_start(&w, &x->scope);
	w.comma = x->scope_members > 0;
	for (size_t i = 0; i < x->flow->n; i++) {
		struct step_state *state = &x->step[i];

		if (state->in_scope || !step_is_done(&x->flow->step[i], state))
			continue;
		jw_key_str(&w, x->flow->step[i].id);
		scope_output(&w, state);
		state->in_scope = true;
		x->scope_members++;
	}
}

void scope_output(struct json_writer *w, const struct step_state *state)
{
	if (state->status == STEP_FAILED) {
		jw_object(w);
		answer_error(w, "error", state->error_code, state->error_message);
		jw_object_end(w);
		return;
	}
	jw_add_raw(w, state->output);
}

/* For an item the whole is copied: its members stand in front. */
static enum err write_scope(struct execution *x, const struct scope_item *item, struct buf *own, struct str *ret_text)
{
	struct json_writer w;

	if (x->scope.n == 0)
		start(x);
	add_steps(x);
	TRY(buf_error(&x->scope));
	if (item) {
		jw_start(&w, own);
		jw_object(&w);
		jw_key(&w, "item");
		jw_add_tree(&w, item->value);
		jw_put_int(&w, "index", (int64_t)item->index);
		buf_add_char(own, ',');
		buf_add(own, x->scope.p + 1, x->scope.n - 1);
	} else {
		own = &x->scope;
	}
	buf_add_c(own, "}}");
	*ret_text = buf_str(own);
	return buf_error(own);
}

/* Within the arena, since the failure's own memory is the caller's. */
static enum err failed(struct ctx *cx, enum err e, const struct expr_failure *failure, bool by_size)
{
	struct str words = arena_copy(cx->arena, str_of(failure->words));

	if (e == ERR_EXPRESSION_TOO_LARGE && by_size)
		return ERR_STEP_OUTPUT_TOO_LARGE;
	cx->problem.detail = words;
	return e;
}

static enum err evaluate(struct ctx *cx, struct execution *x, struct str program, const struct scope_item *item,
			 size_t max, struct buf *out)
{
	BUF_AUTO struct buf own = { 0 };
	struct expr_failure failure;
	struct str scope = STR_NONE;
	enum err e;

	problem_clear(&cx->problem);
	buf_init(&own, EXPR_INPUT_MAX + 2);
	e = write_scope(x, item, &own, &scope);
	if (e == OK)
		e = expr_evaluate(cx->expr, program, scope, cx->config->expression_time_ms, max, out, &failure);
	else
		failure.words[0] = '\0';
	if (!item && x->scope.n > 2)
		x->scope.n -= 2;
	if (e == ERR_TOO_BIG)
		return ERR_EXECUTION_TOO_LARGE;
	return e == OK || e == ERR_NO_MEMORY ? e : failed(cx, e, &failure, scope.n <= EXPR_INPUT_MAX);
}

enum err scope_config(struct ctx *cx, struct execution *x, const struct flow_step *step, const struct scope_item *item,
		      size_t max, struct buf *out)
{
	struct json_writer w;
	enum err e;

	if (!str_absent(step->program)) {
		e = step->plain ? plain_config(x, step, item, max, out) : ERR_END;
		return e == ERR_END ? evaluate(cx, x, step->program, item, max, out) : e;
	}
	jw_start(&w, out);
	if (step->config) {
		jw_add_tree(&w, step->config);
	} else {
		jw_object(&w);
		jw_object_end(&w);
	}
	return buf_error(out);
}

enum err scope_is_true(struct ctx *cx, struct execution *x, struct str program, bool *ret_true)
{
	BUF_AUTO struct buf out = { 0 };

	buf_init(&out, EXPR_RESULT_MAX);
	TRY(evaluate(cx, x, program, NULL, EXPR_RESULT_MAX, &out));
	*ret_true = json_is_truth(buf_str(&out));
	return OK;
}

bool json_is_truth(struct str json) { return !str_eq(json, STR("null")) && !str_eq(json, STR("false")); }

void scope_input(const struct execution *x, size_t step, struct json_writer *w)
{
	const struct flow_step *s = &x->flow->step[step];

	if (s->needs_n == 0 || x->only < x->flow->n) {
		jw_add_raw(w, x->input);
	} else if (s->needs_n == 1) {
		scope_output(w, &x->step[s->needs[0]]);
	} else {
		jw_object(w);
		for (size_t i = 0; i < s->needs_n; i++) {
			jw_key_str(w, x->flow->step[s->needs[i]].id);
			scope_output(w, &x->step[s->needs[i]]);
		}
		jw_object_end(w);
	}
}
