/* The end of an execution: what came of it. */
#include "base/json_write.h"
#include "flow/engine.h"

static enum err keep(struct execution *x, struct str text, struct str *ret_text)
{
	*ret_text = arena_copy(x->arena, text);
	return str_absent(*ret_text) ? ERR_NO_MEMORY : OK;
}

/* The first that failed. */
static size_t find_failed(const struct execution *x)
{
	for (size_t i = 0; i < x->flow->n; i++)
		if (x->step[i].status == STEP_FAILED && !x->flow->step[i].goes_on)
			return i;
	return x->flow->n;
}

/* What wasn't let come to its end isn't done, whatever else is. */
static bool one_was_stopped(const struct execution *x)
{
	for (size_t i = 0; i < x->flow->n; i++)
		if (x->step[i].status == STEP_CANCELLED)
			return true;
	return false;
}

/* A respond step's output, or else that of the step behind which nothing comes; flow->n: there are several. */
static size_t find_answering(const struct execution *x)
{
	size_t last = x->flow->n, lasts = 0;

	if (x->only < x->flow->n)
		return x->only;
	for (size_t i = 0; i < x->flow->n; i++) {
		const struct flow_step *step = &x->flow->step[i];

		if (step->type == STEP_RESPOND && x->step[i].status == STEP_COMPLETED)
			return i;
		if (step->next_n == 0 && step_is_done(step, &x->step[i])) {
			last = i;
			lasts++;
		}
	}
	return lasts == 1 ? last : x->flow->n;
}

static enum err write_ends(struct execution *x)
{
	BUF_AUTO struct buf out = { 0 };
	struct json_writer w;

	buf_init(&out, 2 * EXECUTION_TOTAL_MAX);
	jw_start(&w, &out);
	jw_object(&w);
	for (size_t i = 0; i < x->flow->n; i++) {
		if (x->flow->step[i].next_n > 0 || !step_is_done(&x->flow->step[i], &x->step[i]))
			continue;
		jw_key_str(&w, x->flow->step[i].id);
		scope_output(&w, &x->step[i]);
	}
	jw_object_end(&w);
	TRY(buf_error(&out));
	/* Each of them is on record: together they are left out when they are too long. */
	return keep(x, out.n <= EXECUTION_OUTPUT_MAX ? buf_str(&out) : STR("{}"), &x->output);
}

struct str execution_output(const struct execution *x)
{
	size_t step;

	if (!str_absent(x->output) || str_absent(x->output_step))
		return x->output;
	step = flow_find(x->flow, x->output_step);
	return step < x->flow->n ? x->step[step].output : STR_NONE;
}

static enum err set_output(struct execution *x)
{
	size_t step = find_answering(x);

	/* What isn't an output of its own, as it stands, has no row to point at. */
	if (step == x->flow->n || x->step[step].status != STEP_COMPLETED)
		return write_ends(x);
	x->output_step = x->flow->step[step].id;
	return OK;
}

enum err conclude(struct execution *x)
{
	size_t failed = find_failed(x);

	x->completed_at = (struct opt_int){ true, x->now_ms };
	if (failed < x->flow->n) {
		x->status = STEP_FAILED;
		x->error_code = x->step[failed].error_code;
		x->error_message = x->step[failed].error_message;
		x->error_step = x->flow->step[failed].id;
	} else if (one_was_stopped(x)) {
		x->status = STEP_CANCELLED;
	} else {
		x->status = STEP_COMPLETED;
		TRY(set_output(x));
	}
	happened_end(x);
	return OK;
}

void execution_give_up(struct execution *x, enum step_status status, enum err e, struct str words)
{
	x->status = status;
	x->completed_at = (struct opt_int){ true, x->now_ms };
	x->error_code = str_of(err_code(e));
	x->error_message = str_absent(words) ? str_of(err_words(e)) : str_utf8_cut(words, ERROR_MESSAGE_MAX);
	for (size_t i = 0; i < x->flow->n; i++)
		if (x->step[i].status == STEP_WAITING)
			step_cancel(x, (struct place){ .step = i });
	happened_end(x);
}
