/* Events of providers, on their way to the workflows that wait for them. */
#include "base/json_read.h"
#include "base/log.h"
#include "flow/execution.h"
#include "flow/workflow.h"
#include "store/sql_execution.h"

enum { STARTED_MAX = WORKFLOWS_MAX };

static bool takes(struct ctx *cx, struct str types, struct str type)
{
	json_t *list;

	if (str_absent(types))
		return true;
	if (json_read(cx->arena, types, &list, NULL) != OK)
		return false;
	for (size_t i = 0; i < json_length(list); i++)
		if (str_eq(json_text(json_item(list, i)), type))
			return true;
	return false;
}

/* Each workflow once, however many of its triggers wait for it. */
static enum err find(struct ctx *cx, const struct flow_event *event, struct id workflow[STARTED_MAX], size_t *ret_n)
{
	const struct sql_listener_matching_in in = { .connector_id = event->connector, .provider = event->provider };
	struct sql_listener_matching_row row;
	size_t n = 0;
	enum err e;

	TRY(sql_listener_matching(cx->db, &in));
	while ((e = sql_listener_matching_next(cx->db, &row)) == OK) {
		bool known = n > 0 && id_eq(&workflow[n - 1], &row.workflow_id);

		if (!known && n < STARTED_MAX && takes(cx, row.event_types, event->type))
			workflow[n++] = row.workflow_id;
	}
	*ret_n = n;
	return e == ERR_END ? OK : e;
}

enum err flow_event_is_wanted(struct ctx *cx, const struct flow_event *event, bool *ret_wanted)
{
	struct id workflow[STARTED_MAX];
	size_t n;

	TRY(find(cx, event, workflow, &n));
	*ret_wanted = n > 0;
	return OK;
}

enum err flow_event_arrived(struct ctx *cx, const struct flow_event *event)
{
	struct id workflow[STARTED_MAX], execution;
	size_t n;

	TRY(find(cx, event, workflow, &n));
	for (size_t i = 0; i < n; i++) {
		const struct execution_new new = { .workflow = workflow[i],
						   .source = EXECUTION_EVENT,
						   .source_id = { true, event->id },
						   .input = event->body };
		enum err e = execution_start(cx, &new, &execution);

		/* Paused or deleted this moment. */
		if (e != OK && e != ERR_NOT_FOUND && e != ERR_CONFLICT)
			return e;
	}
	return OK;
}
