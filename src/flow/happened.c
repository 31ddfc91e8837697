/* The events of a turn, as clients get them. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "flow/engine.h"

void event_put_id(struct json_writer *w, const struct id *execution, int64_t number)
{
	char id[ID_TEXT_MAX], text[ID_TEXT_MAX + STR_INT_MAX];
	int n = snprintf(text, sizeof(text), "%.*s:%" PRId64, STR_ARG(id_format(ID_EXECUTION, execution, id)), number);

	jw_put_text(w, "id", (struct str){ text, (size_t)n });
	jw_put_int(w, "number", number);
}

/* {"id": ..., "number": ..., "type": ..., "execution_id": ..., "at": ..., "data": { */
static void open_event(struct execution *x, struct json_writer *w, const char *type)
{
	jw_start(w, &x->log);
	buf_add_char(&x->log, x->happened == 0 ? '[' : ',');
	x->happened++;
	jw_object(w);
	event_put_id(w, &x->id, x->events + x->happened);
	jw_put_text(w, "type", str_of(type));
	answer_id(w, "execution_id", ID_EXECUTION, &x->id);
	answer_time(w, "at", x->now_ms);
	jw_key(w, "data");
	jw_object(w);
}

static void close_event(struct json_writer *w)
{
	jw_object_end(w);
	jw_object_end(w);
}

void happened_begin(struct execution *x)
{
	struct json_writer w;

	open_event(x, &w, "session:started");
	answer_id(&w, "workflow_id", ID_WORKFLOW, &x->workflow);
	close_event(&w);
}

void happened_activated(struct execution *x, struct str step)
{
	struct json_writer w;

	open_event(x, &w, "workflow:node_activated");
	jw_put_text(&w, "node_id", step);
	close_event(&w);
}

static void put_output(struct json_writer *w, const char *name, struct str output)
{
	if (output.n <= EVENT_OUTPUT_MAX)
		jw_put_raw(w, name, output);
	else
		jw_put_bool(w, "truncated", true);
}

static void report_error(struct execution *x, struct str code, struct str message, struct str step)
{
	struct json_writer w;

	open_event(x, &w, "error:api");
	jw_put_text(&w, "code", code);
	jw_put_text(&w, "message", message);
	jw_put_text(&w, "node_id", step);
	close_event(&w);
}

void happened_over(struct execution *x, struct str step, const struct step_state *state)
{
	struct json_writer w;

	if (state->status == STEP_FAILED)
		report_error(x, state->error_code, state->error_message, step);
	open_event(x, &w, "node:execution_complete");
	jw_put_text(&w, "node_id", step);
	jw_put_text(&w, "status", str_of(step_status_text(state->status)));
	if (state->status == STEP_COMPLETED)
		put_output(&w, "output", state->output);
	close_event(&w);
}

void happened_listening(struct execution *x, struct str step, struct str prompt)
{
	struct json_writer w;

	open_event(x, &w, "system:waiting_for_input");
	jw_put_text(&w, "node_id", step);
	jw_put_text(&w, "prompt", prompt);
	close_event(&w);
}

void happened_end(struct execution *x)
{
	struct json_writer w;

	open_event(x, &w, "workflow:finished");
	jw_put_text(&w, "status", str_of(step_status_text(x->status)));
	put_output(&w, "output_data", execution_output(x));
	if (!str_absent(x->error_code))
		answer_error(&w, "error", x->error_code, x->error_message);
	close_event(&w);
}

struct str happened_list(struct execution *x)
{
	if (x->happened > 0)
		buf_add_char(&x->log, ']');
	return x->happened > 0 ? buf_str(&x->log) : STR("[]");
}
